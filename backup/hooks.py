"""What an app wants done around its backup (a maintenance mode, say), and that it is always undone, also after kill -9.

Rules. 1. What undoes it is on the disk before anything is done, and is removed only when it succeeded. 2. Several hosts
share one hook: the first begins it, the last ends it. 3. What is left is undone by the guard beside us as soon as we
are dead (`hook_guard`), by the unit's ExecStopPost=, and by the next run. 4. Root runs only what root alone can write.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from coloc.command import CommandFailed, Run, run, start
from coloc.config.projects import AppEntry
from coloc.config.whole import Config
from coloc.errors import ColocError, StateError
from coloc.facts import write_whole
from coloc.times import iso
from coloc.trusted import require_command

logger = logging.getLogger(__name__)
_MAX_BYTES = 64 * 1024


def start_guard(journal: Path) -> None:
    """A small program beside us that undoes what is left when we are dead. Raises ColocError."""
    here = Path(__file__).resolve().parent.parent
    start([sys.executable, "-P", "-m", "backup.hook_guard", str(journal)], log=None, env={"PYTHONPATH": str(here)})


@dataclass(slots=True)
class Hooks:
    """The hooks of one run. `guard` is started before the first that must be undone; it waits for our lock."""

    config: Config
    clock: Callable[[], datetime]
    run: Run = run
    guard: Callable[[Path], object] = start_guard
    problems: list[str] = field(default_factory=list)
    _open: dict[str, int] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _all: threading.Lock = field(default_factory=threading.Lock)
    _lock: int | None = None

    @contextmanager
    def around(self, app: str) -> Iterator[None]:
        """Do it, the block, undo it. Raises ColocError when it cannot be begun: then the block does not run."""
        entry = self.config.apps.get(app, AppEntry())
        if not entry.before_backup and not entry.after_backup:
            yield
            return
        with self._all:
            lock = self._locks.setdefault(app, threading.Lock())
        with lock:
            if not self._open.get(app):
                self._begin(app, entry)
            self._open[app] = self._open.get(app, 0) + 1
        try:
            yield
        finally:
            with lock:
                self._open[app] -= 1
                if not self._open[app]:
                    self._end(app)

    def close(self) -> None:
        """The run is over: the guard looks whether all is undone, and goes."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _begin(self, app: str, entry: AppEntry) -> None:
        seconds = self.config.backup.hook_timeout
        for name, argv in (("before", entry.before_backup), ("after", entry.after_backup)):
            if argv:
                require_command(argv, f"apps.{app}.{name}_backup")
        if entry.after_backup:
            with self._all:
                if self._lock is None:
                    self._lock = open_lock(self.config.paths.journal, "hooks.lock")
                    self.guard(self.config.paths.journal)
            _write_down(self.config.paths.journal, app, entry.after_backup, seconds, self.clock())
        if not entry.before_backup:
            return
        try:
            self.run(outside(entry.before_backup, seconds), timeout=seconds + 10, cwd=Path("/"))
        except CommandFailed as error:
            self._end(app)  # it may have done half of it
            raise ColocError(f"{app}: its before_backup failed: {error}", hint=error.hint) from error

    def _end(self, app: str) -> None:
        file = _folder(self.config.paths.journal) / f"{app}.json"
        if file.exists():
            why = undo(file, run=self.run)
            if why:
                self.problems.append(why)


def open_lock(journal: Path, name: str) -> int:
    """Wait for a lock of ours; it dies with whoever holds it. Raises OSError."""
    descriptor = os.open(journal / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def left(journal: Path) -> list[Path]:
    """What is still to be undone."""
    return sorted(_folder(journal).glob("*.json"))


def undo_left(journal: Path, *, run: Run = run) -> list[str]:
    """Undo what killed runs left; call it under the run lock. Returns a sentence for each that could not be undone."""
    return [why for file in left(journal) if (why := undo(file, run=run))]


def undo(file: Path, *, run: Run = run) -> str:
    """Run what one file says and remove it; "" or the sentence of why it stays."""
    app = file.stem
    try:
        with file.open("rb") as opened:
            data = json.loads(opened.read(_MAX_BYTES))
        argv, seconds = tuple(str(word) for word in data["after"]), float(data["seconds"])
        require_command(argv, f"apps.{app}.after_backup")
        run(outside(argv, seconds), timeout=seconds + 10, cwd=Path("/"))
        file.unlink()
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{app}: what was done before its backup is not undone: {file} cannot be read or removed: {error}"
    except ColocError as error:
        logger.error("a hook is not undone", extra={"app": app, "why": error.sentence()})
        return (
            f"{app}: its after_backup failed, it may still be in maintenance: {error.sentence()}; "
            "it is tried again at the next run, or now: coloc-agent backup --undo-hooks"
        )
    return ""


def outside(argv: Sequence[str], seconds: float) -> list[str]:
    """The command beside our unit, whose sandbox it must not share: it changes the app, and we may only read."""
    if "INVOCATION_ID" not in os.environ or not Path("/run/systemd/system").is_dir():
        return list(argv)
    limit = f"--property=RuntimeMaxSec={seconds:.0f}"
    return ["systemd-run", "--quiet", "--wait", "--collect", "--pipe", limit, "--", *argv]


def _write_down(journal: Path, app: str, after: Sequence[str], seconds: float, now: datetime) -> None:
    text = json.dumps({"after": list(after), "seconds": seconds, "began_at": iso(now)})
    try:
        _folder(journal).mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(_folder(journal) / f"{app}.json", text)
    except OSError as error:
        with suppress(OSError):
            (_folder(journal) / f"{app}.json").unlink()
        raise StateError(
            f"{app}: what undoes its before_backup cannot be written down: {error.strerror}",
            hint="free some space in paths.journal; nothing was begun",
        ) from error


def _folder(journal: Path) -> Path:
    return journal / "hooks"
