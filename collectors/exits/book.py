"""The last exits, kept in memory for the daemon to ask for, and what was lost on the way. No clock, no sockets."""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from collectors.exits.taskstats import Exit

MOST_KEPT = 16_384
MAX_REQUEST_BYTES = 256
_ROW = struct.Struct("=IIIdQQ")  # pid, parent, uid, started, user, system: a third of what a tuple takes


@dataclass(frozen=True, slots=True)
class Question:
    """What the daemon asks: what came after its `cursor`. A cursor of another `generation` (or none) gets no exits."""

    generation: str = ""
    cursor: int = 0


def parse_question(line: bytes) -> Question:
    """Parse `{"generation": "…", "cursor": 12}`, or `{}`. Raises ValueError for anything else."""
    if len(line) > MAX_REQUEST_BYTES:
        raise ValueError("too long")
    try:
        said = json.loads(line)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(said, Mapping):
        raise ValueError("not an object")
    generation, cursor = said.get("generation", ""), said.get("cursor", 0)
    if not isinstance(generation, str) or type(cursor) is not int or not 0 <= cursor < 2**63:
        raise ValueError("not a cursor")
    return Question(generation, cursor)


class Book:
    """Exits in the order in which they were told; numbered, so that whoever asks knows what it missed."""

    def __init__(self, generation: str, *, most_kept: int = MOST_KEPT) -> None:
        self._generation = generation
        self._rows: deque[bytes] = deque(maxlen=most_kept)
        self.exits = self.lost = self.gaps = 0

    def add(self, ended: Exit, now: float) -> None:
        """Keep an exit that was heard at `now` (seconds since the boot)."""
        self.exits += 1
        started = max(0.0, now - ended.wall / 1e6)
        self._rows.append(_ROW.pack(ended.pid, ended.parent, ended.uid, started, ended.user, ended.system))

    def lose(self, exits: int) -> None:
        """Some were not told: from here on nobody can rely on having them all."""
        self.lost += exits
        self.gaps += 1

    def interrupt(self) -> None:
        """Hearing begins or ends here: what lies on the other side is not known."""
        self.gaps += 1

    def answer(self, question: Question, *, active: bool, storms: int) -> bytes:
        """One line of JSON. `missed`: exits after the cursor that were kept no longer."""
        wanted = 0
        if question.generation == self._generation:
            wanted = max(0, self.exits - question.cursor)
        rows = [] if not wanted else [_ROW.unpack(row) for row in list(self._rows)[-wanted:]]
        said = {
            "generation": self._generation,
            "cursor": self.exits,
            "missed": wanted - len(rows),
            "active": active,
            "storms": storms,
            "lost": self.lost,
            "gaps": self.gaps,
            "exits": [[*row[:3], round(row[3], 2), *row[4:]] for row in rows],
        }
        return json.dumps(said, separators=(",", ":")).encode() + b"\n"
