"""The logs of one folder and their followers: finds new ones, shares the work of a look fairly, and keeps the marks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from collectors.log_follow import Budget, Follower
from collectors.log_marks import Generation, generation_of, generations, mark_from_json

_SHARE = 4  # of a look's bytes, one log may have a fourth while others wait
_SETTLED_NS = 2_000_000_000


class LogFolder:
    """Follows the logs of `folder` whose names end with `suffix`. `look` gives (stem of the name, whole lines).

    `only`: the one log that is followed among those.
    """

    def __init__(self, folder: Path, suffix: str, *, most_logs: int, look_bytes: int, only: str = "") -> None:
        self._folder, self._suffix, self._only = folder, suffix, only
        self._most, self._look_bytes = most_logs, look_bytes
        self._followers: dict[str, Follower] = {}
        self._signature: tuple[int, int] | None = None
        self._listing: Mapping[str, list[str]] | None = None
        self._begun = False
        self.unfollowed = 0  # logs beyond the most
        self.refused = 0  # logs that could not be opened in the last look
        self.gaps = 0
        self.caught_up = False  # at least once, everything that was there had been read

    @property
    def followed(self) -> int:
        """How many logs."""
        return len(self._followers)

    def restore(self, marks: object) -> None:
        """Go on where an earlier process was."""
        if not isinstance(marks, dict):
            return
        self._begun = True
        for name, pair in list(marks.items())[: self._most]:
            place = generation_of(name) if isinstance(name, str) and "/" not in name else None
            if place is not None and place[1] == 0 and isinstance(pair, list) and len(pair) == 2:
                follower = self._follower(name)
                follower.mark, follower.before = mark_from_json(pair[0]), mark_from_json(pair[1])
                self._followers[name] = follower

    def marks(self) -> dict[str, object]:
        """For `restore`."""
        return {
            name: [each.mark and each.mark.to_json(), each.before and each.before.to_json()]
            for name, each in self._followers.items()
        }

    def look(self, *, from_start: bool = False) -> Iterator[tuple[str, bytes]]:
        """What is new. The first look ever begins at the end of each log, unless `from_start`. Raises OSError."""
        self._listing = None
        self._discover(from_start=from_start)
        budget = self._look_bytes
        self.refused, waiting = 0, False
        for name, follower in list(self._followers.items()):
            mine = Budget(max(0, min(budget, self._look_bytes // _SHARE)))
            given = mine.left
            try:
                for lines in follower.lines(mine):
                    yield name.removesuffix(self._suffix), lines
            except OSError:
                self.refused += 1
            budget -= given - mine.left
            self.gaps, follower.gaps = self.gaps + follower.gaps, 0
            if mine.left <= 0:
                waiting = True
                self._followers[name] = self._followers.pop(name)  # the others first, next time
        self.caught_up = self.caught_up or not waiting

    def _discover(self, *, from_start: bool) -> None:
        status = self._folder.stat()
        if self._signature == (status.st_ino, status.st_mtime_ns):
            return
        # The clock of files is coarse: a file that came just after this listing may have left no other trace.
        settled = time.time_ns() - status.st_mtime_ns > _SETTLED_NS
        self._signature = (status.st_ino, status.st_mtime_ns) if settled else None
        self._listing = self._names()
        found = sorted(self._listing)
        gone = self._followers.keys() - set(found)
        for name in gone:
            del self._followers[name]
        new = [name for name in found if name not in self._followers]
        room = max(0, self._most - len(self._followers))
        self.unfollowed = len(new[room:])
        for name in new[:room]:
            self._followers[name] = self._follower(name)
            if not self._begun and not from_start:
                try:
                    self._followers[name].skip_to_end()
                except OSError:
                    self.refused += 1
        self._begun = True

    def _names(self) -> Mapping[str, list[str]]:
        """Log → the names of its files."""
        found: dict[str, list[str]] = {}
        for file in os.listdir(self._folder):  # noqa: PTH208 - fifteen thousand names, perhaps
            place = generation_of(file)
            if place is not None and place[0].endswith(self._suffix) and place[0] == (self._only or place[0]):
                found.setdefault(place[0], []).append(file)
        return found

    def _follower(self, name: str) -> Follower:
        return Follower(self._folder / name, lambda fresh: self._chain(name, fresh))

    def _chain(self, name: str, fresh: bool) -> list[Generation]:
        """The files of one log. The folder is listed once in a look, as all logs are turned together, or `fresh`."""
        if self._listing is None or fresh:
            self._listing = self._names()
        return generations(self._folder, self._listing.get(name, ()))
