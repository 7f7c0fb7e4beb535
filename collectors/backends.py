"""CPU of PostgreSQL's processes, by database: the server says which process works where, /proc what it used.

What a process uses after its last look is not seen; what the server counts itself (busy time) is whole.
"""

from __future__ import annotations

import os

from collectors.procfs import ProcFiles, parse_stat
from collectors.spending import Growth
from coloc.databases.answers import Answer

_NAME = b"(postgres)"


class Backends:
    """The processes of one server, followed from look to look. A process is known by pid and start time."""

    def __init__(self, files: ProcFiles | None = None, *, ticks_per_second: int | None = None) -> None:
        self._files = files or ProcFiles()
        self._ticks = ticks_per_second or os.sysconf("SC_CLK_TCK")
        self._growth = Growth[tuple[int, int]]()
        self._starts: dict[int, tuple[int, int]] = {}

    def spent(self, answer: Answer) -> dict[str, float] | None:
        """Seconds since the last look, by database; None when the server's processes are not to be seen from here."""
        server = self._parent(answer.checkpointer)
        if server is None:
            self._growth.forget()
            return None
        used: dict[tuple[int, int], float] = {}
        databases: dict[tuple[int, int], str] = {}
        starts: dict[int, tuple[int, int]] = {}
        for pid, database in answer.backends.items():
            found = self._used(pid, server)
            if found is not None:
                key, used[key] = found
                databases[key], starts[pid] = database, key
        self._starts = starts
        sums: dict[str, float] = {}
        for key, seconds in self._growth.since(used).items():
            sums[databases[key]] = sums.get(databases[key], 0.0) + seconds
        return sums

    def _used(self, pid: int, server: int) -> tuple[tuple[int, int], float] | None:
        """A process of the server and its seconds so far; None when it is gone or another's."""
        try:
            raw = self._files.read(pid, "stat")
        except (FileNotFoundError, ProcessLookupError):
            return None
        except OSError:  # we cannot look now: it has what it had, so that nothing is counted twice
            key = self._starts.get(pid)
            before = self._growth.last(key) if key else None
            return (key, before) if key and before is not None else None
        stat = parse_stat(raw)
        if stat is None or stat.parent != server or _NAME not in raw:
            return None
        return (pid, stat.start), (stat.user + stat.system) / self._ticks

    def _parent(self, checkpointer: int) -> int | None:
        try:
            raw = self._files.read(checkpointer, "stat")
        except OSError:
            return None
        stat = parse_stat(raw)
        return stat.parent if stat is not None and _NAME in raw and stat.parent > 1 else None
