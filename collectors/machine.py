"""The machine as a whole: processors, memory, load, pressure. Says nothing about who used them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from coloc.model import Colocation

_MAX_BYTES = 256 * 1024
_CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
RESOURCES = ("cpu", "memory", "io")


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Ticks of all processors since the machine booted, by mode; `processors` is their number."""

    ticks: Mapping[str, int]
    processors: int
    booted_at: int | None

    @property
    def user_and_system(self) -> tuple[int, int]:
        """What ran, as processes see it: interrupts count as system, stolen time as nobody's."""
        get = self.ticks.get
        return get("user", 0) + get("nice", 0), get("system", 0) + get("irq", 0) + get("softirq", 0)


@dataclass(frozen=True, slots=True)
class Memory:
    """Lines of /proc/meminfo in bytes; a line that is not there is None."""

    size: int | None
    available: int | None
    swap_size: int | None
    swap_free: int | None

    @property
    def swapped(self) -> bool:
        """True when something is swapped out."""
        return bool(self.swap_size) and self.swap_size != self.swap_free


class MachineFiles:
    """The small files of /proc about the machine."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self._root = root

    def read(self, name: str) -> bytes:
        """The beginning of one file; nothing when it is not there."""
        try:
            with (self._root / name).open("rb", buffering=0) as file:
                return file.read(_MAX_BYTES) or b""
        except OSError:
            return b""


class MachineCollector:
    """What the machine has and what is left of it."""

    name = "machine"
    deadline_seconds = 5.0

    def __init__(
        self,
        *,
        interval_seconds: float = 5.0,
        files: MachineFiles | None = None,
        ticks_per_second: int | None = None,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._files = files or MachineFiles()
        self._ticks = ticks_per_second or os.sysconf("SC_CLK_TCK")

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Read the machine's files once."""
        yield from self._cpu()
        yield from self._memory()
        load = parse_loadavg(self._files.read("loadavg"))
        if load:
            family = GaugeMetricFamily("coloc_machine_load", "Tasks that run or wait, averaged.", labels=["minutes"])
            for minutes, value in zip(("1", "5", "15"), load, strict=True):
                family.add_metric([minutes], value)
            yield family
        yield from self._pressure()
        routes = self._files.read("net/route"), self._files.read("net/ipv6_route")
        if any(routes):
            yield GaugeMetricFamily(
                "coloc_machine_network_up",
                "1 when there is a way out of the machine: a default route.",
                value=float(has_default_route(*routes)),
            )

    def _cpu(self) -> Iterator[Metric]:
        cpu = parse_cpu(self._files.read("stat"))
        if not cpu.ticks:
            return
        family = CounterMetricFamily("coloc_machine_cpu_seconds", "Time of all processors, by mode.", labels=["mode"])
        for mode, ticks in cpu.ticks.items():
            family.add_metric([mode], ticks / self._ticks)
        yield family
        yield GaugeMetricFamily("coloc_machine_cpus", "Processors.", value=cpu.processors)
        if cpu.booted_at is not None:
            yield GaugeMetricFamily(
                "coloc_machine_boot_timestamp_seconds", "When the machine booted.", value=cpu.booted_at
            )

    def _memory(self) -> Iterator[Metric]:
        memory = parse_meminfo(self._files.read("meminfo"))
        for name, what, value in (
            ("memory_size_bytes", "Memory of the machine.", memory.size),
            ("memory_available_bytes", "Memory that programs can still get without swapping.", memory.available),
            ("swap_size_bytes", "Swap of the machine.", memory.swap_size),
            ("swap_free_bytes", "Swap that is free.", memory.swap_free),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"coloc_machine_{name}", what, value=value)

    def _pressure(self) -> Iterator[Metric]:
        found = {resource: parse_pressure(self._files.read(f"pressure/{resource}")) for resource in RESOURCES}
        for kind, name, what in (
            ("some", "waiting", "Time during which some task waited for a resource."),
            ("full", "stalled", "Time during which all tasks waited for a resource."),
        ):
            family = CounterMetricFamily(f"coloc_machine_pressure_{name}_seconds", what, labels=["resource"])
            for resource, totals in found.items():
                # The kernel prints `full` for the processor too, always nought.
                if kind in totals and (kind, resource) != ("full", "cpu"):
                    family.add_metric([resource], totals[kind] / 1e6)
            if family.samples:
                yield family


def parse_cpu(data: bytes) -> CpuTimes:
    """Parse /proc/stat: the line of all processors, how many there are, when the machine booted."""
    ticks: dict[str, int] = {}
    processors, booted_at = 0, None
    for line in data.split(b"\n"):
        if line.startswith(b"cpu "):
            values = line.split()[1:9]
            ticks = {mode: int(value) for mode, value in zip(_CPU_MODES, values, strict=False) if _is_number(value)}
        elif line.startswith(b"cpu"):
            processors += 1
        elif line.startswith(b"btime "):
            booted_at = int(line[6:]) if _is_number(line[6:].strip()) else None
    return CpuTimes(ticks, processors, booted_at)


def parse_meminfo(data: bytes) -> Memory:
    """Parse the four lines of /proc/meminfo that we need."""
    return Memory(*(_line_of(data, name) for name in (b"MemTotal:", b"MemAvailable:", b"SwapTotal:", b"SwapFree:")))


def _line_of(data: bytes, name: bytes) -> int | None:
    """The bytes of one line, which is in KiB."""
    begin = 0 if data.startswith(name) else data.find(b"\n" + name) + 1
    if not data.startswith(name, begin):
        return None
    words = data[begin + len(name) : begin + len(name) + 40].split()
    return int(words[0]) * 1024 if words and _is_number(words[0]) else None


def parse_loadavg(data: bytes) -> tuple[float, float, float] | None:
    """The three averages of /proc/loadavg."""
    try:
        one, five, fifteen = (float(word) for word in data.split()[:3])
    except ValueError:
        return None
    return one, five, fifteen


def parse_pressure(data: bytes) -> dict[str, int]:
    """Microseconds of waiting by kind (some, full) of a /proc/pressure file."""
    found = {}
    for line in data.split(b"\n"):
        words = line.split()
        total = words[-1] if words else b""
        if words and words[0] in (b"some", b"full") and total.startswith(b"total=") and _is_number(total[6:]):
            found[words[0].decode()] = int(total[6:])
    return found


def has_default_route(v4: bytes, v6: bytes) -> bool:
    """True when /proc/net/route or /proc/net/ipv6_route has a default route that is up and does not reject."""
    for line in v4.split(b"\n")[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == words[7] == b"00000000" and _flags(words[3]) & 0x201 == 0x1:
            return True
    for line in v6.split(b"\n"):
        words = line.split()
        is_default = len(words) == 10 and words[0] == b"0" * 32 and words[1] == b"00" and words[9] != b"lo"
        if is_default and _flags(words[8]) & 0x201 == 0x1:
            return True
    return False


def _flags(word: bytes) -> int:
    try:
        return int(word, 16)
    except ValueError:
        return 0


def _is_number(word: bytes) -> bool:
    return word.isdigit() and len(word) < 20
