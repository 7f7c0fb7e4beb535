"""What the server waits for: a reboot, packages. apt is asked as anybody may, and only when its lists changed."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from coloc.command import Run, run
from coloc.errors import ColocError
from coloc.model import Colocation

_KINDS = ("kernel", "security", "other")
_ARGV = ("apt-get", "--simulate", "--quiet", "-o", "Debug::NoLocking=true", "dist-upgrade")
_SECONDS = 150.0
_LISTS, _DPKG = "var/lib/apt/lists", "var/lib/dpkg/status"
_FIRST_AFTER_SECONDS = 240.0  # a start has other work than apt's four seconds
_AGAIN_SECONDS = 3600.0  # not sooner, whatever changed
_INST = re.compile(r"Inst (\S{1,200}) (?:\[[^\]]*\] )?\(([^)]*)\)")
_KERNEL = re.compile(r"linux-image-\S+")

Signature = tuple[int | None, ...]


class UpkeepCollector:
    """coloc_reboot_required and coloc_packages_waiting."""

    name = "upkeep"
    deadline_seconds = 180.0

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 300.0,
        ask: Run | None = run,
        release: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        first_after_seconds: float = _FIRST_AFTER_SECONDS,
    ) -> None:
        """`ask`: how apt is asked; None when its answer would be of another tree."""
        self._first_at = clock() + first_after_seconds
        self.interval_seconds = interval_seconds
        self._root, self._ask, self._clock = root, ask, clock
        self._release = release or os.uname().release
        self._asked: tuple[Signature, float] | None = None
        self._waiting: Mapping[str, int] | None = None
        self._problem = ""

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Look at the flags; ask apt when something changed."""
        reboot = GaugeMetricFamily("coloc_reboot_required", "1 when the server waits for a reboot.")
        needed = self._reboot()
        if needed is not None:
            reboot.add_metric([], float(needed))
        yield reboot
        self._look_at_packages()
        waiting = GaugeMetricFamily("coloc_packages_waiting", "Debian packages to be upgraded.", labels=["kind"])
        for kind in _KINDS if self._waiting is not None else ():
            waiting.add_metric([kind], (self._waiting or {}).get(kind, 0))
        yield waiting
        lists = GaugeMetricFamily("coloc_packages_lists_timestamp_seconds", "When apt's lists of packages changed.")
        when = _changed(self._root / _LISTS)
        if when is not None:
            lists.add_metric([], when / 1e9)
        yield lists

    def limits(self) -> tuple[str, ...]:
        """Why the packages are not known."""
        return (f"packages that wait are not known: {self._problem}",) if self._problem else ()

    def _reboot(self) -> bool | None:
        """None when nothing tells."""
        run_folder = self._root / "run"
        flag = run_folder / "reboot-required"
        boot = _names(self._root / "boot")
        newer = newer_kernel(self._release, boot)
        if newer or os.path.lexists(flag):
            return True
        # Without a kernel of its own (a container) only the flag counts.
        is_known = newer is not None or not any(name.startswith("vmlinuz-") for name in boot)
        return False if is_known and run_folder.is_dir() else None

    def _look_at_packages(self) -> None:
        signature = _changed(self._root / _LISTS), _changed(self._root / _DPKG)
        now = self._clock()
        if self._ask is None or None in signature or now < self._first_at:
            return
        if self._asked is not None:
            before, when = self._asked
            if now - when < _AGAIN_SECONDS or (before == signature and not self._problem):
                return
        self._asked = signature, now
        try:
            answer = self._ask(_ARGV, timeout=_SECONDS, env={"LC_ALL": "C"})
            self._waiting, self._problem = packages_waiting(answer.stdout), ""
        except ColocError as error:
            self._waiting, self._problem = None, str(error)[:200]


def packages_waiting(text: str) -> dict[str, int]:
    """How many packages of each kind `apt-get --simulate dist-upgrade` would install."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        match = _INST.match(line)
        if match:
            is_security = "security" in match[2].lower()
            found["kernel" if _KERNEL.match(match[1]) else "security" if is_security else "other"] += 1
    return dict(found)


def newer_kernel(running: str, boot: Iterable[str]) -> bool | None:
    """Whether /boot holds a newer kernel of the running one's flavour; None when that is not where it came from."""
    installed = [name.removeprefix("vmlinuz-") for name in boot if name.startswith("vmlinuz-")]
    if running not in installed:
        return None  # a container, or somebody else's kernel
    here = _flavoured(running)
    others = [_flavoured(release) for release in installed]
    return any(there[0] == here[0] and there[1] > here[1] for there in others)


def _flavoured(release: str) -> tuple[str, list[int]]:
    """`6.1.0-28-amd64` → (amd64, [6, 1, 0, 28])."""
    match = re.match(r"[0-9][0-9.+~-]*", release)
    version = match[0] if match else ""
    numbers = re.findall(r"[0-9]{1,9}", version)
    return release[len(version) :], [int(number) for number in numbers]


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
