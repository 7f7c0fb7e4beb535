"""CPU time charged to apps, look after look: exact sums that only grow, whoever dies between two looks. Pure.

The rules:
* nothing is charged for what happened before the first look, so that a restarted agent does not count it again;
* a process is charged what it used since the last look, or all of it when it was born since;
* what a process's reaped children used, less what was charged for them while they lived, was used between two looks:
  it goes to the parent's app; a parent of no app (php-fpm's master) passes it to the app whose processes it lost, or to
  those apps, as far as these were at work when last seen (an idle worker that ends has nothing more to tell);
* a process whose final figures the kernel told is charged what its last look had not seen. When all ends between two
  looks were told, reaped children say nothing more; when some were not, what was told is subtracted from them;
* a process that ended while we looked is perhaps told by its parent only later: what it was charged awaits that;
* what passes through parents is never more than the machine used meanwhile, but for rounding;
* the rest of the machine is `_system`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from coloc.model import SYSTEM

MODES = ("user", "system")
_ROUNDING_TICKS, _ROUNDING = 10, 0.1  # the kernel counts processes exactly and the machine by samples
_AWAITED_LOOKS = 4  # a parent that never tells of its children (it ignores SIGCHLD) must not weigh on for ever
REAPS_FOR_ALL = 1  # pid 1 takes orphans: what it reaps says nothing about it


@dataclass(slots=True)
class Used:
    """What a process used until its last look, in ticks by mode; `kids` is what its reaped children used."""

    pid: int
    parent: int
    own: tuple[int, int]
    kids: tuple[int, int]
    app: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The final figures of a process, in ticks by mode, as the kernel told them; `seen`: those of its last look."""

    pid: int
    parent: int
    own: tuple[float, float]
    seen: tuple[float, float]
    app: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: processes that go on (before, now), those that are new, those that are gone."""

    stayed: Iterable[tuple[Used, Used]]
    born: Iterable[Used]
    gone: Iterable[Used]
    machine: tuple[int, int]  # ticks of the machine since it booted, by mode
    ticks: float  # ticks since the last look, of one processor
    ended: tuple[Ended, ...] = ()  # what the kernel told of ends; nothing where it is not asked
    all_told: bool = False  # and those are all since the last look


@dataclass(frozen=True, slots=True)
class Awaited:
    """What was charged for a process that ended, which its parent's sum of reaped children will hold too."""

    ticks: float
    app: str | None
    lately: int = 0  # what it used between its last two looks
    looks: int = _AWAITED_LOOKS  # how many it may still take


@dataclass(slots=True)
class CpuLedger:
    """The sums since the first look, in ticks by mode."""

    apps: dict[str, list[float]] = field(default_factory=dict)
    _machine: tuple[int, int] | None = None
    _debt: list[float] = field(default_factory=lambda: [0.0, 0.0])
    _awaited: list[dict[int, list[Awaited]]] = field(default_factory=lambda: [{}, {}])  # by mode and parent
    _lately: dict[int, tuple[int, int]] = field(default_factory=dict)  # of processes that worked, in their last look
    _rests: list[tuple[float, ...]] = field(default_factory=lambda: [(), ()])  # `_system` of the last looks, by mode

    def add(self, look: Look) -> dict[str, list[float]]:
        """Take a look in; returns what it charged to each app and to `_system`."""
        charged: dict[str, list[float]] = {}
        if self._machine is not None:
            for mode in range(len(MODES)):
                self._charge(mode, look, charged)
            self._lately = _lately(look)
        self._machine = look.machine
        for app, ticks in charged.items():
            sums = self.apps.setdefault(app, [0.0, 0.0])
            for mode, more in enumerate(ticks):
                sums[mode] += more
        return charged

    def pause(self) -> None:
        """Processes were lost from sight: the next look is a first one. The sums stay."""
        self._machine = None
        self._awaited, self._lately, self._rests = [{}, {}], {}, [(), ()]

    def _charge(self, mode: int, look: Look, charged: dict[str, list[float]]) -> None:
        before = self._machine or look.machine
        machine = max(0, look.machine[mode] - before[mode])
        ours = _known(mode, look)
        seen = sum(ours.values())
        between, self._awaited[mode] = _between_looks(mode, look, _lost(mode, look, self._awaited[mode], self._lately))
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


def _known(mode: int, look: Look) -> dict[str | None, float]:
    """What the processes that we see or whose end was told used since the last look, by app; None is nobody's."""
    sums: dict[str | None, float] = {}
    for before, now in look.stayed:
        sums[now.app] = sums.get(now.app, 0) + max(0, now.own[mode] - before.own[mode])
    for process in look.born:
        sums[process.app] = sums.get(process.app, 0) + process.own[mode]
    for end in look.ended:
        sums[end.app] = sums.get(end.app, 0) + max(0.0, end.own[mode] - end.seen[mode])
    return sums


def _between_looks(
    mode: int, look: Look, lost: Mapping[int, list[Awaited]]
) -> tuple[dict[str, float], dict[int, list[Awaited]]]:
    """What was used after a last look, or unseen, and was not told: it shows where it is reaped; and who is awaited."""
    sums, awaited = _reaped(mode, look, lost)
    return {} if look.all_told else sums, awaited


def _reaped(
    mode: int, look: Look, lost: Mapping[int, list[Awaited]]
) -> tuple[dict[str, float], dict[int, list[Awaited]]]:
    """What reaped children used, less what was charged for them otherwise, by app; and who is still awaited."""
    sums: dict[str, float] = {}
    parents = {now.pid: now for _, now in look.stayed} | {process.pid: process for process in look.born}
    reaped = {now.pid: now.kids[mode] - before.kids[mode] for before, now in look.stayed}
    reaped |= {process.pid: process.kids[mode] for process in look.born}
    awaited = {pid: dead for pid, dead in lost.items() if reaped.get(pid, 0) <= 0}
    for pid, ticks in reaped.items():
        if pid == REAPS_FOR_ALL or ticks <= 0:
            continue
        more: float = ticks
        told = []
        for dead in lost.get(pid, []):
            if dead.ticks <= more + _ROUNDING_TICKS:
                more -= dead.ticks
                told.append(dead)
            else:
                awaited.setdefault(pid, []).append(dead)
        app = parents[pid].app
        for whose, part in [(app, more)] if app else _parts(more, told, look.ticks):
            if part > 0:
                sums[whose] = sums.get(whose, 0) + part
    return sums, awaited


def _parts(more: float, told: list[Awaited], ticks: float) -> list[tuple[str, float]]:
    """What workers of several apps used before they ended together, by what each used lately; nobody's if none did."""
    apps = {dead.app for dead in told}
    weights = {app: sum(dead.lately for dead in told if dead.app == app) for app in apps}
    whole = sum(weights.values())
    found = []
    for app in apps - {None}:
        part = 1.0 if len(apps) == 1 else weights[app] / whole if whole else 0.0
        most = ticks * sum(dead.app == app for dead in told)
        found.append((str(app), min(more * part, most)))
    return found


def _lately(look: Look) -> dict[int, tuple[int, int]]:
    """What each process that worked used since the look before."""
    found = {
        now.pid: (now.own[0] - before.own[0], now.own[1] - before.own[1])
        for before, now in look.stayed
        if now.own != before.own
    }
    return found | {process.pid: process.own for process in look.born}


def _lost(
    mode: int, look: Look, earlier: Mapping[int, list[Awaited]], lately: Mapping[int, tuple[int, int]]
) -> dict[int, list[Awaited]]:
    """Who ended, by the process that goes on and reaps them; first those of earlier looks that were not told yet."""
    graves = {end.pid: Used(end.pid, end.parent, (0, 0), (0, 0), end.app) for end in look.ended}
    graves |= {process.pid: process for process in look.gone}
    told = {end.pid: end.own[mode] for end in look.ended}
    lost: dict[int, list[Awaited]] = {}
    for pid, waiting in earlier.items():
        heir = living_ancestor(graves[pid], graves) if pid in graves else pid
        kept = [replace(dead, looks=dead.looks - 1) for dead in waiting if dead.looks > 1]
        if kept:
            lost.setdefault(heir, []).extend(kept)
    for process in graves.values():
        heir = living_ancestor(process, graves)
        if heir != REAPS_FOR_ALL:
            charged = told.get(process.pid, process.own[mode]) + process.kids[mode]
            used_lately = lately.get(process.pid, (0, 0))[mode]
            lost.setdefault(heir, []).append(Awaited(charged, process.app, max(0, used_lately)))
    return lost


def living_ancestor(process: Used, graves: Mapping[int, Used]) -> int:
    """Who reaped a process, as far as we can know: its nearest ancestor that goes on."""
    pid = process.parent
    for _ in range(len(graves)):
        if pid not in graves:
            break
        pid = graves[pid].parent
    return pid
