"""Bytes read and written, charged to apps look after look: sums that only grow, whoever dies between two looks. Pure.

The rules:
* nothing is charged for what happened before the first look, so that a restarted agent does not count it again;
* a process is charged what its counters grew by, or all of them when it was born since;
* the kernel adds a child's counters to those of the parent that reaps it: what was charged for the dead while they
  lived is taken off their parent's growth;
* the rest of that growth is the parent's app's. The master of php-fpm, who writes nothing itself, passes it to the one
  app whose workers it lost; other parents of no app keep it: a root script may write a lot and lose one child;
* pid 1 reaps every orphan: what it grew by says nothing. What no app wrote is `_system`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coloc.model import SYSTEM

_REAPS_FOR_ALL = 1

Key = tuple[int, int]  # pid, start time: a pid alone is given again


@dataclass(frozen=True, slots=True)
class Moved:
    """The counters of a process, those of its reaped children in them: bytes read, bytes written."""

    pid: int
    parent: int
    app: str | None
    bytes: tuple[int, int]
    passes_on: bool = False  # a master of php-fpm


@dataclass(slots=True)
class IoLedger:
    """The sums since the first look: bytes read and written, by app."""

    apps: dict[str, list[float]] = field(default_factory=dict)
    _last: Mapping[Key, Moved] | None = None

    def add(self, found: Mapping[Key, Moved]) -> dict[str, list[float]]:
        """Take a look in; returns what it charged to each app and to `_system`."""
        charged: dict[str, list[float]] = {}
        last, self._last = self._last, found
        if last is None:
            return charged
        lost = _lost(last, found)
        for key, now in found.items():
            if now.pid == _REAPS_FOR_ALL:
                continue
            before = last[key].bytes if key in last else (0, 0)
            dead = lost.get(now.pid, [])
            for way in range(2):
                grown = max(0, now.bytes[way] - before[way])
                if grown:
                    known = sum(process.bytes[way] for process in dead)
                    # Less than the dead had: somebody else reaped them, and the growth is the parent's own.
                    more = grown - known if grown >= known else grown
                    charged.setdefault(_bearer(now, dead), [0.0, 0.0])[way] += more
        for app, both in charged.items():
            sums = self.apps.setdefault(app, [0.0, 0.0])
            for way in range(2):
                sums[way] += both[way]
        return charged

    def pause(self) -> None:
        """Processes were lost from sight: the next look is a first one. The sums stay."""
        self._last = None


def _bearer(process: Moved, dead: list[Moved]) -> str:
    owners = {lost.app for lost in dead}
    if process.app is None and process.passes_on and len(owners) == 1:
        return owners.pop() or SYSTEM
    return process.app or SYSTEM


def _lost(last: Mapping[Key, Moved], found: Mapping[Key, Moved]) -> dict[int, list[Moved]]:
    """Who died, by the nearest ancestor that goes on: it reaped them, as far as we can know."""
    graves = {process.pid: process for key, process in last.items() if key not in found}
    lost: dict[int, list[Moved]] = {}
    for process in graves.values():
        parent = process.parent
        for _ in range(len(graves)):
            if parent not in graves:
                break
            parent = graves[parent].parent
        lost.setdefault(parent, []).append(process)
    return lost
