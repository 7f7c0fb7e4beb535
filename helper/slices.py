"""Holds CPU, memory, processes, reading and writing by the slice of a project, through systemd's own properties.

systemd says yes also where the kernel has no controllers: only the kernel's own file is believed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from coloc.agreed import AgreedLimit, Target, slice_folder
from coloc.command import CommandFailed, Run, run
from helper.actuator import Done, ReadBack

CGROUPS = Path("/sys/fs/cgroup")
_SECONDS = 30.0
_ROOM = 1.25  # a hard bound of memory lies so far above what is used: nothing is killed by it at once
_CONTROLLERS = {"cpu": "cpu", "memory": "memory", "processes": "pids", "io": "io"}
_PENDING = "pending restart: none of its units runs in its slice yet"


@dataclass(frozen=True, slots=True)
class Bound:
    """One property of systemd's, the file where the kernel shows it, and how to tell that it is there."""

    property: str
    value: str
    file: str
    holds: Callable[[str], bool]


def bounds(
    resource: str, step: str, limit: AgreedLimit, in_use: float | None, places: Sequence[str] = ("/",)
) -> list[Bound]:
    """What holds a resource at a step. `in_use`: memory in bytes, tasks; the bound is never below what runs."""
    mark = limit.hard if step == "throttle" else limit.soft
    if resource == "cpu":
        return [Bound("CPUQuota", f"{mark * 100:.0f}%", "cpu.max", lambda text: _cores_of(text, mark))]
    if resource == "processes":
        # TasksMax counts threads as well: below what runs now it would end nothing, but nothing could begin.
        tasks = math.ceil(max(mark, (in_use or 0.0) * 1.1))
        return [Bound("TasksMax", f"{tasks}", "pids.max", lambda text: _at_most(text, tasks))]
    if resource == "memory":
        found = [Bound("MemoryHigh", f"{limit.hard:.0f}", "memory.high", lambda text: _at_most(text, limit.hard))]
        if step == "hard":
            most = math.ceil(max(limit.hard, in_use or 0.0) * _ROOM)
            found.append(Bound("MemoryMax", f"{most}", "memory.max", lambda text: _at_most(text, most)))
        return found
    speed = f"{mark:.0f}"
    return [
        Bound(f"IO{way}BandwidthMax", f"{place} {speed}", "io.max", partial(_speed, f"{word}={speed}"))
        for way, word in (("Read", "rbps"), ("Write", "wbps"))
        for place in places
    ]


_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "cpu": ("CPUQuota",),
    "memory": ("MemoryHigh", "MemoryMax"),
    "processes": ("TasksMax",),
    "io": ("IOReadBandwidthMax", "IOWriteBandwidthMax"),
}
_IN_USE = {"memory": "memory.current", "processes": "pids.current"}
_WORDS = {
    "cpu": "bounded the CPU time of {slice}",
    "memory": "held back the memory of {slice}",
    "processes": "bounded the tasks of {slice}",
    "io": "bounded what {slice} reads and writes a second",
}


class SliceActuator:
    """One resource of every project's slice."""

    def __init__(self, resource: str, *, run: Run = run, cgroups: Path = CGROUPS) -> None:
        self._resource, self._run, self._cgroups = resource, run, cgroups

    def cannot(self, target: Target | None = None) -> str:  # noqa: ARG002 - every actuator's
        """See Actuator."""
        try:
            found = (self._cgroups / "cgroup.controllers").read_text().split()
        except OSError:
            return "the kernel shows no control groups of version 2 here (is this a container?)"
        wanted = _CONTROLLERS[self._resource]
        return "" if wanted in found else f"the kernel's controller {wanted} is not here (is this a container?)"

    def in_use(self, target: Target) -> float | None:
        """See Actuator."""
        file = _IN_USE.get(self._resource)
        text = self._read(target, file) if file else None
        return float(text) if text is not None and re.fullmatch(r"[0-9]{1,20}", text) else None

    def apply(self, target: Target, step: str, limit: AgreedLimit) -> Done:
        """See Actuator."""
        wanted = self._bounds(target, step, limit)
        kept = {bound.property for bound in wanted}
        orders = [f"{bound.property}={bound.value}" for bound in wanted]
        orders += [f"{name}=" for name in _PROPERTIES[self._resource] if name not in kept]  # of a higher step
        call = self._set(target, orders)
        return Done(_WORDS[self._resource].format(slice=target.slice), call)

    def read_back(self, target: Target, step: str, limit: AgreedLimit) -> ReadBack:
        """See Actuator."""
        wanted = self._bounds(target, step, limit)
        if not self._folder(target).is_dir():
            return ReadBack(str(self._folder(target)), "", stands=True, pending=_PENDING)
        said = {bound.file: self._read(target, bound.file) for bound in wanted}
        stands = all((text := said[bound.file]) is not None and bound.holds(text) for bound in wanted)
        files = ", ".join(str(self._folder(target) / file) for file in said)
        return ReadBack(files, "; ".join(text or "" for text in said.values()), stands)

    def undo(self, target: Target) -> None:
        """See Actuator."""
        self._set(target, [f"{name}=" for name in _PROPERTIES[self._resource]])

    def _bounds(self, target: Target, step: str, limit: AgreedLimit) -> list[Bound]:
        return bounds(self._resource, step, limit, self.in_use(target), places_of(target.folders))

    def _set(self, target: Target, orders: Sequence[str]) -> str:
        argv = ["systemctl", "set-property", "--runtime", "--", target.slice, *orders]
        self._run(argv, timeout=_SECONDS)
        return " ".join(argv)

    def _folder(self, target: Target) -> Path:
        return self._cgroups / slice_folder(target.slice)

    def _read(self, target: Target, file: str) -> str | None:
        try:
            return (self._folder(target) / file).read_text()[:4096].strip()
        except OSError:
            return None


def units_outside(units: Sequence[str], slice_name: str, *, run: Run = run) -> list[str]:
    """The units that run, and not below this slice yet: they were started before it was theirs."""
    if not units:
        return []
    try:
        output = run(["systemctl", "show", "--property=Id,ControlGroup", "--", *units], timeout=_SECONDS)
    except CommandFailed:
        return []
    outside = []
    for block in output.stdout.split("\n\n"):
        facts = dict(line.partition("=")[::2] for line in block.splitlines())
        group = facts.get("ControlGroup", "")
        if group and f"/{slice_name}/" not in f"{group}/":
            outside.append(facts.get("Id", ""))
    return outside


def _cores_of(text: str, cores: float) -> bool:
    """`30000 100000` is 0.3 of a core; `max 100000` is none at all."""
    words = text.split()
    if len(words) != 2 or not all(re.fullmatch(r"[0-9]{1,15}", word) for word in words) or int(words[1]) == 0:
        return False
    return math.isclose(int(words[0]) / int(words[1]), cores, rel_tol=0.02, abs_tol=0.01)


def _at_most(text: str, most: float) -> bool:
    """The kernel counts memory in pages, so a little less is what was asked for."""
    return re.fullmatch(r"[0-9]{1,20}", text) is not None and int(text) <= most * _ROOM


def _speed(wanted: str, text: str) -> bool:
    return any(part == wanted for line in text.splitlines() for part in line.split()[1:])


def places_of(folders: Sequence[str]) -> tuple[str, ...]:
    """A folder on each disk that holds some of these; systemd finds the disk of a path by itself."""
    found: dict[int, str] = {}
    for folder in folders:
        if re.fullmatch(r"/[A-Za-z0-9_./-]*", folder):
            with suppress(OSError):
                found.setdefault(Path(folder).stat().st_dev, folder)
    return tuple(found.values()) or ("/",)
