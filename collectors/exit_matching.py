"""Which exits are of processes that we followed, and whose are the others? So that nothing is charged twice. Pure.

The rules:
* an exit of a process that was followed and is gone adds what its last look had not seen;
* an exit of one that is still there (it ended just after the look, or nobody has reaped it yet) waits until it is gone;
* any other exit is of a process that no look saw: all of it counts, for the app of the unit of its nearest ancestor
  that was followed (a child is in the cgroup of its parent), else for the app of its user;
* but not when it began before the look before: then it was hidden from us, and its past is not of this moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from collectors.cpu_ledger import Ended
from collectors.exit_client import ProcessExit
from collectors.ownership import Ownership
from collectors.process_table import Followed

_SLACK_SECONDS = 0.05  # start times are cut to hundredths
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Matched:
    """Ends of processes that were followed (or hidden), of those that no look saw, and the exits that wait, by pid."""

    known: tuple[Ended, ...]
    waiting: Mapping[int, ProcessExit]
    unseen: tuple[Ended, ...]


def match(
    exits: Iterable[ProcessExit],
    waiting: Mapping[int, ProcessExit],
    *,
    living: Mapping[int, Followed],
    buried: Mapping[int, Followed],
    owned: Ownership,
    ticks_per_second: int,
    since: float,
) -> Matched:
    """Match what ended. `living`, `buried`: what this look found; `since`: when the one before began, from the boot."""
    still, found = dict(waiting), dict[int, ProcessExit]()
    strangers, hidden = list[ProcessExit](), list[ProcessExit]()
    for pid in buried.keys() & still.keys():
        found[pid] = still.pop(pid)
    for each in exits:
        if each.pid in buried and each.pid not in found:
            found[each.pid] = each
        elif each.pid in living and living[each.pid].start / ticks_per_second <= each.started + _SLACK_SECONDS:
            still[each.pid] = each
        elif each.started + _SLACK_SECONDS >= since:
            strangers.append(each)
        else:
            hidden.append(each)
    families = _Families(living, buried, {each.pid: each.parent for each in strangers})
    known = [_of_known(each, buried[pid], owned, ticks_per_second) for pid, each in found.items()]
    unseen = [
        Ended(
            each.pid, each.parent, _ticks(each, ticks_per_second), (0, 0), owned.app_of(families.cgroup(each), each.uid)
        )
        for each in strangers
    ]
    known += [_of_hidden(each, ticks_per_second) for each in hidden]
    return Matched(tuple(known), {pid: each for pid, each in still.items() if pid in living}, tuple(unseen))


@dataclass(frozen=True, slots=True)
class _Families:
    living: Mapping[int, Followed]
    buried: Mapping[int, Followed]
    parents: Mapping[int, int]

    def cgroup(self, ended: ProcessExit) -> str:
        """That of the nearest ancestor that was followed; "" when none was."""
        pid = ended.parent
        for _ in range(_DEEPEST):
            known = self.living.get(pid) or self.buried.get(pid)
            if known is not None:
                return known.cgroup
            if pid not in self.parents:
                break
            pid = self.parents[pid]
        return ""


def _of_known(ended: ProcessExit, process: Followed, owned: Ownership, ticks_per_second: int) -> Ended:
    """The total is the kernel's; what was seen in a mode stays in it."""
    user, system = _ticks(ended, ticks_per_second)
    seen = process.used.own
    more = max(0.0, user + system - sum(seen))
    more_user = min(max(0.0, user - seen[0]), more)
    app = process.used.app or owned.app_of(process.cgroup, ended.uid)
    return Ended(ended.pid, process.used.parent, (seen[0] + more_user, seen[1] + more - more_user), seen, app)


def bounded(ended: Sequence[Ended], most: float) -> tuple[Ended, ...]:
    """No more in all than all processors can do meanwhile, whatever was told; `most` in ticks."""
    more = sum(sum(end.own) - sum(end.seen) for end in ended)
    if more <= most:
        return tuple(ended)
    part = max(0.0, most) / more
    return tuple(replace(end, own=_between(end.seen, end.own, part)) for end in ended)


def _between(seen: tuple[float, float], own: tuple[float, float], part: float) -> tuple[float, float]:
    return seen[0] + (own[0] - seen[0]) * part, seen[1] + (own[1] - seen[1]) * part


def _of_hidden(ended: ProcessExit, ticks_per_second: int) -> Ended:
    own = _ticks(ended, ticks_per_second)
    return Ended(ended.pid, ended.parent, own, own, None)


def _ticks(ended: ProcessExit, ticks_per_second: int) -> tuple[float, float]:
    return ended.user * ticks_per_second / 1e6, ended.system * ticks_per_second / 1e6
