"""Whether somebody asked the daemon for something, or reported to it, since it last looked: then it looks at once."""

from __future__ import annotations

import os
from pathlib import Path

from coloc.config.whole import Config
from coloc.facts import Spool


class Doorbell:
    """Asked every second: two calls of the kernel."""

    def __init__(self, config: Config) -> None:
        self._requests, self._spool = config.paths.requests, Spool(config.paths.facts)
        self._known: tuple[frozenset[str], int | None] = frozenset(), None

    def answer(self) -> None:
        """What is there now is looked at next: it does not ring again."""
        self._known = _waiting(self._requests), self._spool.changed_at()

    def rings(self) -> bool:
        """True when a request waits, or a fact came, that was not there at the last `answer`."""
        known, changed_at = self._known
        return bool(_waiting(self._requests) - known) or self._spool.changed_at() != changed_at


def _waiting(folder: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except OSError:
        return frozenset()
