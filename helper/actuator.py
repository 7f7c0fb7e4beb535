"""One interface for all that can be held: is it possible, what to do, what the kernel says of it, how to undo it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from coloc.agreed import AgreedLimit, Target
from coloc.errors import ColocError


class CannotEnforce(ColocError):
    """It was ordered and does not hold: what was done of it is undone, and nobody is told that it stands."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an order was: in words, and the call itself."""

    did: str
    call: str


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a file of the kernel, or a server, says now. `pending`: why it says nothing yet."""

    file: str
    says: str
    stands: bool
    pending: str = ""


class Actuator(Protocol):
    """Who holds one resource."""

    def cannot(self, target: Target | None = None) -> str:
        """Why it cannot be enforced here (for this target), "" when it can."""

    def in_use(self, target: Target) -> float | None:
        """What the target uses now by the measure of what would hold it; None when that is not known."""

    def apply(self, target: Target, step: str, limit: AgreedLimit) -> Done:
        """Hold it at a step; the same again is harmless. Raises ColocError."""

    def read_back(self, target: Target, step: str, limit: AgreedLimit) -> ReadBack:
        """Whether it holds. Changes nothing."""

    def undo(self, target: Target) -> None:
        """Give everything back, also what was only half done; nothing when nothing is held. Raises ColocError."""
