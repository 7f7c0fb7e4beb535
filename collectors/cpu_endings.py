"""What ends cost after the kernel told their figures: it tells first, and clears up the memory afterwards. Pure.

The rules:
* what a parent gets for children when it reaps them is the truth, cut to ticks; what was told of them is a little less;
* the difference is a balance per parent, so that what is cut off does not add up, and late reaping is waited for;
* what is positive goes to those that ended, in proportion to what they used, and never more than that once again;
* a parent that ends hands its balance to who reaps it; the first process reaps for all, and says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from collectors.cpu_ledger import REAPS_FOR_ALL, Ended, Look, Used, living_ancestor


class Endings:
    """The balances, in ticks of both modes. To be used while every end is told; `forget` when one was not."""

    def __init__(self) -> None:
        self._balances: dict[int, float] = {}

    def forget(self) -> None:
        """From now on nothing is known of what was told before."""
        self._balances.clear()

    def complete(self, look: Look, ended: Sequence[Ended]) -> tuple[Ended, ...]:
        """What ended between the last look and this one, with what their ends cost."""
        graves = {end.pid: Used(end.pid, end.parent, (0, 0), (0, 0), None) for end in ended}
        graves |= {process.pid: process for process in look.gone}
        told = {end.pid: sum(end.own) for end in ended}
        reapers = {pid: living_ancestor(process, graves) for pid, process in graves.items()}
        self._take_in(look, graves, told, reapers)
        used: dict[int, float] = {}
        for end in ended:
            used[reapers[end.pid]] = used.get(reapers[end.pid], 0.0) + sum(end.own)
        factors: dict[int, float] = {}
        for reaper, ticks in used.items():
            more = min(max(0.0, self._balances.get(reaper, 0.0)), ticks)
            if more > 0:
                self._balances[reaper] -= more
                factors[reaper] = more / ticks
        return tuple(_with(end, factors.get(reapers[end.pid], 0.0)) for end in ended)

    def _take_in(self, look: Look, graves: dict[int, Used], told: dict[int, float], reapers: dict[int, int]) -> None:
        changes: dict[int, float] = {now.pid: sum(now.kids) - sum(before.kids) for before, now in look.stayed}
        changes |= {process.pid: sum(process.kids) for process in look.born}
        for pid, process in graves.items():
            handed_on = self._balances.pop(pid, 0.0)
            spent = told.get(pid, sum(process.own)) + sum(process.kids)
            changes[reapers[pid]] = changes.get(reapers[pid], 0.0) + handed_on - spent
        changes.pop(REAPS_FOR_ALL, None)
        for pid, change in changes.items():
            if change:
                self._balances[pid] = self._balances.get(pid, 0.0) + change


def _with(end: Ended, factor: float) -> Ended:
    """Clearing up is the kernel's work: system time."""
    user, system = end.own
    return replace(end, own=(user, system + (user + system) * factor))
