"""CPU time charged to apps, look after look: exact sums that only grow, whoever dies between two looks. Pure.

The rules:
* nothing is charged for what happened before the first look, so that a restarted agent does not count it again;
* a process is charged what it used since the last look, or all of it when it was born since;
* what a process's reaped children used, less what was charged for them while they lived, was used between two looks:
  it goes to the parent's app; a parent of no app (php-fpm's master) passes it to the one app whose processes it lost;
* that is never more than the machine used meanwhile, but for rounding; the rest of the machine is `_system`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from coloc.model import SYSTEM

MODES = ("user", "system")
_ROUNDING_TICKS, _ROUNDING = 10, 0.1  # the kernel counts processes exactly and the machine by samples
_REAPS_FOR_ALL = 1  # pid 1 takes orphans: what it reaps says nothing about it


@dataclass(slots=True)
class Used:
    """What a process used until its last look, in ticks by mode; `kids` is what its reaped children used."""

    pid: int
    parent: int
    own: tuple[int, int]
    kids: tuple[int, int]
    app: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: processes that go on (before, now), those that are new, those that are gone."""

    stayed: Iterable[tuple[Used, Used]]
    born: Iterable[Used]
    gone: Iterable[Used]
    machine: tuple[int, int]  # ticks of the machine since it booted, by mode
    ticks: float  # ticks since the last look, of one processor


@dataclass(slots=True)
class CpuLedger:
    """The sums since the first look, in ticks by mode."""

    apps: dict[str, list[float]] = field(default_factory=dict)
    _machine: tuple[int, int] | None = None
    _debt: list[float] = field(default_factory=lambda: [0.0, 0.0])

    _rests: list[tuple[float, ...]] = field(default_factory=lambda: [(), ()])

    def add(self, look: Look) -> dict[str, list[float]]:
        """Take a look in; returns what it charged to each app and to `_system`."""
        charged: dict[str, list[float]] = {}
        if self._machine is not None:
            for mode in range(len(MODES)):
                self._charge(mode, look, charged)
        self._machine = look.machine
        for app, ticks in charged.items():
            sums = self.apps.setdefault(app, [0.0, 0.0])
            for mode, more in enumerate(ticks):
                sums[mode] += more
        return charged

    def pause(self) -> None:
        """Processes were lost from sight: the next look is a first one. The sums stay."""
        self._machine = None

    def _charge(self, mode: int, look: Look, charged: dict[str, list[float]]) -> None:
        before = self._machine or look.machine
        machine = max(0, look.machine[mode] - before[mode])
        ours = _living(mode, look)
        seen = sum(ours.values())
        between = _between_looks(mode, look)
        # Who slept is looked at late: what it used stood with the rest of the machine for two looks.
        late = sum(self._rests[mode])
        room, asked = max(0.0, machine + late - seen) + max(_ROUNDING_TICKS, machine * _ROUNDING), sum(between.values())
        factor = min(1.0, room / asked) if asked else 0.0
        for app, ticks in between.items():
            ours[app] = ours.get(app, 0) + ticks * factor
        # What rounding let us charge too early is held back from the rest later.
        rest = machine - sum(ticks for app, ticks in ours.items() if app) - self._debt[mode]
        self._debt[mode] = max(0.0, -rest)
        ours[SYSTEM] = max(0.0, rest)
        self._rests[mode] = (*self._rests[mode][-1:], ours[SYSTEM])
        for app_or_none, ticks in ours.items():
            if app_or_none:
                charged.setdefault(app_or_none, [0.0, 0.0])[mode] += ticks


def _living(mode: int, look: Look) -> dict[str | None, float]:
    """What the processes that we see used since the last look, by app; None is nobody's."""
    sums: dict[str | None, float] = {}
    for before, now in look.stayed:
        sums[now.app] = sums.get(now.app, 0) + max(0, now.own[mode] - before.own[mode])
    for process in look.born:
        sums[process.app] = sums.get(process.app, 0) + process.own[mode]
    return sums


def _between_looks(mode: int, look: Look) -> dict[str | None, float]:
    """What was used by processes after their last look, or without ever being seen, by app."""
    sums: dict[str | None, float] = {}
    parents = {now.pid: now for _, now in look.stayed} | {process.pid: process for process in look.born}
    reaped = {now.pid: now.kids[mode] - before.kids[mode] for before, now in look.stayed}
    reaped |= {process.pid: process.kids[mode] for process in look.born}
    lost: dict[int, list[Used]] = {}
    graves = {process.pid: process for process in look.gone}
    for process in graves.values():
        lost.setdefault(_living_ancestor(process, graves), []).append(process)
    for pid, ticks in reaped.items():
        if pid == _REAPS_FOR_ALL or ticks <= 0:
            continue
        dead = lost.get(pid, [])
        more: float = ticks - sum(process.own[mode] + process.kids[mode] for process in dead)
        app = parents[pid].app
        if app is None and len({process.app for process in dead}) == 1:
            app = dead[0].app
            more = min(more, look.ticks * len(dead))
        if app is not None and more > 0:
            sums[app] = sums.get(app, 0) + more
    return sums


def _living_ancestor(process: Used, graves: Mapping[int, Used]) -> int:
    """Who reaped a process, as far as we can know: its nearest ancestor that goes on."""
    pid = process.parent
    for _ in range(len(graves)):
        if pid not in graves:
            break
        pid = graves[pid].parent
    return pid
