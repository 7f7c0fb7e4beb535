"""Messages on the agent's own output, where the journal keeps them: one line each."""

from __future__ import annotations

import sys
from typing import TextIO

from alerts.channel import Outcome, Retry, Sent
from coloc.outbox import Kind, Row

_LONGEST = 4_000  # characters
_ZERO_WIDTH = "\u200b"  # keeps `@room` from ringing elsewhere; here it only disturbs


class ConsoleChannel:
    """Writes to a stream; an edit is a line of its own."""

    name = "console"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def deliver(self, row: Row) -> Outcome:
        """See Channel. A closed output is tried again."""
        mark = {Kind.NEW: "»", Kind.EDIT: "»", Kind.REPLY: "  ↳"}[row.kind]
        line = " | ".join(part for part in row.message.text.splitlines() if part)
        stream = self._stream or sys.stdout
        try:
            stream.write(f"{mark} {_harmless(line, stream.encoding or 'utf-8')}\n")
            stream.flush()
        except (OSError, ValueError) as error:
            return Retry(f"the output cannot be written: {error}")
        return Sent(row.key)

    def check(self) -> list[str]:
        """See Channel."""
        return []

    def close(self) -> None:
        """See Channel."""


def _harmless(line: str, encoding: str) -> str:
    """No control or direction marks, not without end, and nothing that the output cannot write."""
    shown = line.replace(_ZERO_WIDTH, "")
    cut = shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…"
    printable = "".join(char if char.isprintable() else "?" for char in cut)
    return printable.encode(encoding, "backslashreplace").decode(encoding)
