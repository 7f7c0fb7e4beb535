"""What a channel is: it takes one row of the outbox and says how that ended. It keeps no memory and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from coloc.outbox import Row


@dataclass(frozen=True, slots=True)
class Sent:
    """It was said; `remote_id` is how the other side calls it ("" when it has no name there).

    `instead`: an edit or a reply had to be said as a message of its own, and what follows belongs to that one.
    """

    remote_id: str = ""
    instead: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """It was not said, or nobody knows: the same row again, after what the other side asked for or our own patience."""

    why: str
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """A human must act first (a token, a room, a closed topic); it is tried again now and then."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will never take this message: it is given up, loudly."""

    why: str


Outcome = Sent | Retry | Blocked | Refused


class Channel(Protocol):
    """One way to reach people."""

    name: str

    def deliver(self, row: Row) -> Outcome:
        """Say it. Never raises for what the other side does."""

    def check(self) -> list[str]:
        """What would keep messages from arriving, a sentence each; empty when all is well. Sends nothing."""

    def close(self) -> None:
        """Let go of connections."""
