"""Has the nightly run done: by systemd, or (the demo) as a child process of the same program."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from typing import Protocol

from coloc.command import Child, start
from coloc.errors import StateError

logger = logging.getLogger(__name__)


class Runner(Protocol):
    """Who runs the one-shots."""

    def start_backup(self) -> None:
        """Begin the nightly run and return at once; nothing if it is running. Raises ColocError."""

    def stop(self) -> None:
        """Ask what was begun to end, and wait for it."""


class SystemdRunner:
    """Touches a file that `coloc-agent-backup.path` watches: no right is needed, and root reads nothing from it."""

    def __init__(self, wake: Path) -> None:
        self._wake = wake

    def start_backup(self) -> None:
        """See Runner."""
        try:
            self._wake.mkdir(parents=True, exist_ok=True)
            (self._wake / "backup").write_bytes(b"")
        except OSError as error:
            raise StateError(
                f"the nightly run cannot be started: {error}", hint="run it by hand: systemctl start coloc-agent-backup"
            ) from error

    def stop(self) -> None:
        """The unit is systemd's: it goes on without us."""


class ChildRunner:
    """Runs `coloc-agent backup --nightly` beside the daemon."""

    def __init__(self, config_path: Path, log: Path, *, python: str = sys.executable) -> None:
        self._argv = [python, "-m", "agent", "--config", str(config_path), "backup", "--nightly"]
        self._log = log
        self._child: Child | None = None

    def start_backup(self) -> None:
        """See Runner."""
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return
            logger.info("the nightly run ended", extra={"code": code})
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"the nightly run cannot be started: {error}", hint="free some space, or mend the owner of that folder"
            ) from error
        self._child = start(self._argv, log=self._log)

    def stop(self) -> None:
        """Borg saves its work on INT, and only then: no TERM follows while it does."""
        if self._child is not None and self._child.poll() is None:
            self._child.stop(grace_seconds=20, gently_with=signal.SIGINT)
