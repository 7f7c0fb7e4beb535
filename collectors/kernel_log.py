"""The kernel's log as rsyslog writes it, followed over rotation and truncation: whom it killed for want of memory.

It begins at the end: what was written before the agent started is not counted, so that a restart counts nothing twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = 256 * 1024
_MOST_BLOCKS = 16  # a flood waits for the next look
_LONGEST_LINE = 8 * 1024
_CHOSEN, _KILLED = b"oom-kill:constraint=", b"Killed process "
_FROM_THE_KERNEL = re.compile(rb" kernel: ")
_TAIL = re.compile(rb",pid=(\d{1,10}),uid=(\d{1,10})\s*$")
_UID = re.compile(rb".*, UID:(\d{1,10}) pgtables:", re.DOTALL)
_PID = re.compile(rb"Killed process (\d{1,10}) \(")


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that the kernel killed; `cgroup` is "" when the kernel did not tell it."""

    pid: int
    uid: int
    cgroup: str = ""


def parse_chosen(line: bytes) -> Kill | None:
    """The line that says whom the kernel chose. Names of processes and of groups in it may be anybody's invention."""
    place, tail = line.find(_CHOSEN), _TAIL.search(line)
    if place < 0 or tail is None or not _FROM_THE_KERNEL.search(line, 0, place):
        return None
    before, _, rest = line[place : tail.start()].partition(b",task_memcg=")
    group = rest.rpartition(b",task=")[0]
    limited = before.partition(b",oom_memcg=")[2]  # the group whose limit was reached holds the task's
    path = group.decode("utf-8", "replace") if group.startswith(limited or b"/") else ""
    return Kill(int(tail[1]), int(tail[2]), path)


def parse_killed(line: bytes) -> Kill | None:
    """The line of each process that was killed: the only one that the kernel never leaves out."""
    place = line.find(_KILLED)
    pid, uid = _PID.match(line, max(0, place)), _UID.match(line, max(0, place))
    if place < 0 or pid is None or uid is None or not _FROM_THE_KERNEL.search(line, 0, place):
        return None
    return Kill(int(pid[1]), int(uid[1]))


@dataclass(slots=True)
class KillReader:
    """Puts the two lines of a kill together: the group is in the first, which is missing when there are many."""

    _chosen: Kill | None = field(default=None)

    def read(self, lines: Iterable[bytes]) -> list[Kill]:
        """The kills that these lines tell, each once."""
        found = []
        for line in lines:
            chosen = parse_chosen(line)
            if chosen is not None:
                self._chosen = chosen
                continue
            killed = parse_killed(line)
            if killed is not None:
                known = self._chosen
                found.append(known if known is not None and known.pid == killed.pid else killed)
                self._chosen = None
        return found


class KernelLog:
    """New lines about kills at each look. `is_there`: a log was found, so that its silence means something."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor, self._offset, self._rest = -1, 0, b""
        self._identity: tuple[int, int] | None = None
        self._begun = False

    @property
    def is_there(self) -> bool:
        """True once a log was opened."""
        return self._identity is not None

    def lines(self) -> list[bytes]:
        """What was written since the last look, only lines about kills. Raises OSError when the log may not be read."""
        # First look where the path leads: rsyslog writes to the old file until it has opened the new one.
        current = _identity(self._path)
        found = self._read()
        if current is not None and current != self._identity:
            self._open(at_end=not self._begun)
            found += self._read()
        if not self._begun:
            # rsyslog makes the file at the first line after a rotation: that one then is news.
            self._begun = self.is_there or _identity(self._path.with_name(f"{self._path.name}.1")) is not None
        return found

    def close(self) -> None:
        """Close the log; the next look begins at its end."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._identity, self._begun = -1, None, False

    def _open(self, *, at_end: bool) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
        status = os.fstat(descriptor)
        self._descriptor, self._identity = descriptor, (status.st_dev, status.st_ino)
        self._offset, self._rest = status.st_size if at_end else 0, b""

    def _read(self) -> list[bytes]:
        if self._descriptor < 0:
            return []
        if os.fstat(self._descriptor).st_size < self._offset:
            self._offset, self._rest = 0, b""
        found: list[bytes] = []
        for _ in range(_MOST_BLOCKS):
            block = os.pread(self._descriptor, _BLOCK, self._offset)
            if not block:
                break
            self._offset += len(block)
            *lines, self._rest = (self._rest + block).split(b"\n")
            self._rest = self._rest[-_LONGEST_LINE:]
            found += [line[:_LONGEST_LINE] for line in lines if _CHOSEN in line or _KILLED in line]
        return found


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
