"""Asks the service coloc-agent-exits which processes ended since it was last asked.

Where there is no such service it is silent. Its answer is outside data like any other: bounded, typed, then trusted.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

SOCKET = Path("/run/coloc-agent-exits/socket")
_SECONDS = 1.0  # for the whole answer
_WAIT_SECONDS = 60.0  # before a service that did not answer is asked again
_MAX_BYTES = 2 * 1024 * 1024
_MOST_EXITS = 20_000
_MOST = 2**53


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """The final figures of a process. `started`: seconds since the boot, never too early; CPU time in microseconds."""

    pid: int
    parent: int
    uid: int
    started: float
    user: int
    system: int


@dataclass(frozen=True, slots=True)
class Exits:
    """An answer. `complete`: every exit since the last answer is there, none was lost, missed or unheard."""

    generation: str
    cursor: int
    active: bool
    storms: int
    lost: int
    gaps: int
    missed: int
    exits: tuple[ProcessExit, ...] = ()
    complete: bool = False


Ask = Callable[[], Exits | None]


class ExitClient:
    """Keeps the cursor between two questions."""

    def __init__(
        self, path: Path = SOCKET, *, seconds: float = _SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._seconds, self._clock = str(path), seconds, clock
        self._last: Exits | None = None
        self._not_before = 0.0
        self._missed = 0

    def __call__(self) -> Exits | None:
        """What came since the last call, or None: there is no service, or it did not answer."""
        if self._clock() < self._not_before:
            return None
        question = {"generation": self._last.generation, "cursor": self._last.cursor} if self._last else {}
        try:
            answer = parse_answer(self._converse(json.dumps(question).encode() + b"\n"))
        except (FileNotFoundError, ConnectionRefusedError):
            answer = None  # not there: asking costs nothing
        except (OSError, ValueError):
            answer, self._not_before = None, self._clock() + _WAIT_SECONDS
        last, self._last = self._last, answer
        if answer is None:
            return None
        if last is None or last.generation != answer.generation:
            self._missed = 0
            return replace(answer, exits=())
        self._missed += answer.missed
        whole = answer.active and last.active and answer.gaps == last.gaps and not answer.missed
        return replace(answer, complete=whole, missed=self._missed)

    def _converse(self, question: bytes) -> bytes:
        """One question, one answer, in time. Raises OSError; ValueError when it is endless."""
        until = self._clock() + self._seconds
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._seconds)
            connection.connect(self._path)
            connection.sendall(question)
            answer = bytearray()
            while received := connection.recv(65_536):
                answer += received
                if len(answer) > _MAX_BYTES:
                    raise ValueError("an answer without end")
                left = until - self._clock()
                if left <= 0:
                    raise TimeoutError("no whole answer in time")
                connection.settimeout(left)
            return bytes(answer)


def parse_answer(data: bytes) -> Exits:
    """Parse an answer of the service. Raises ValueError for anything else."""
    try:
        said = json.loads(data)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(said, Mapping):
        raise ValueError("not an object")
    generation, active, rows = said.get("generation"), said.get("active"), said.get("exits")
    if not isinstance(generation, str) or len(generation) > 64 or not isinstance(active, bool):
        raise ValueError("not an answer")
    if not isinstance(rows, list) or len(rows) > _MOST_EXITS:
        raise ValueError("not a list of exits")
    numbers = [_count(said.get(name)) for name in ("cursor", "storms", "lost", "gaps", "missed")]
    cursor, storms, lost, gaps, missed = numbers
    exits = tuple(_exit(row) for row in rows)
    return Exits(generation, cursor, active, storms, lost, gaps, missed, exits)


def _exit(row: object) -> ProcessExit:
    if not isinstance(row, list) or len(row) != len(ProcessExit.__slots__):
        raise ValueError("not an exit")
    pid, parent, uid, started, user, system = row
    if type(started) not in (int, float) or not 0 <= started < _MOST:
        raise ValueError("not a time")
    return ProcessExit(_count(pid), _count(parent), _count(uid), float(started), _count(user), _count(system))


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError("not a count")
    return value
