"""What a collector must still know after a restart: words by key. Collectors speak to it from their own threads.

A collector puts what belongs together (a position in a log and the counts up to there) under one key: it is kept as a
whole or not at all. Only the daemon's main loop writes it into state.db, by `save`.
"""

from __future__ import annotations

import threading
from typing import Protocol

from coloc.state import State

_PLACE = "memory:"
_MOST_BYTES = 4 * 1024 * 1024


class Memory(Protocol):
    """Words by key, of one process or of all that follow it."""

    def get(self, key: str) -> str | None:
        """What was put last, perhaps by an earlier process."""

    def put(self, key: str, value: str) -> None:
        """Remember; never waits and never fails."""


class ForgetfulMemory:
    """Remembers as long as it lives: for a single look, and for tests."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """See Memory."""
        return self._words.get(key)

    def put(self, key: str, value: str) -> None:
        """See Memory."""
        self._words[key] = value


class KeptMemory:
    """What state.db holds, read once at the start; `save` writes what is new, and belongs to the thread of `state`."""

    def __init__(self, state: State) -> None:
        self._lock = threading.Lock()
        self._words = state.words_below(_PLACE)
        self._fresh: set[str] = set()

    def get(self, key: str) -> str | None:
        """See Memory."""
        with self._lock:
            return self._words.get(_PLACE + key)

    def put(self, key: str, value: str) -> None:
        """See Memory. What is too long to be kept is not: the last that was shorter stays."""
        if len(value) > _MOST_BYTES:
            return
        with self._lock:
            self._words[_PLACE + key] = value
            self._fresh.add(_PLACE + key)

    def save(self, state: State) -> None:
        """Write what was put since the last save, in one transaction. Raises StateError; it is then saved later."""
        with self._lock:
            fresh = {key: self._words[key] for key in self._fresh}
        if not fresh:
            return
        with state.transaction():
            for key, value in fresh.items():
                state.put(key, value)
        with self._lock:
            self._fresh -= {key for key, value in fresh.items() if self._words[key] == value}
