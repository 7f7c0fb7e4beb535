"""The failures that we expect and tell to a human, each with what to do next. Anything else is a bug."""

from __future__ import annotations


class ColocError(Exception):
    """An expected failure: one sentence of what happened, and a `hint` of what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def sentence(self) -> str:
        """What a person reads: the message, then the hint on the same line."""
        return f"{self} — {self.hint}" if self.hint else str(self)


class ConfigError(ColocError):
    """coloc.yml cannot be used as it is."""

    exit_code = 2


class StateError(ColocError):
    """The agent's own memory (state.db, journal, spool) cannot be used."""

    exit_code = 3
