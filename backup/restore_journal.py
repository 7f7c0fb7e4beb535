"""What a restore is about to do, written down before it is done, so that a crash never leaves a riddle.

A step is recorded before it is taken; taking it back looks at what is really there. States: running; undoing (taking
back has begun); copying, copied (a database under a new name); done; undone; removing, removed (done, and what it
replaced goes, or went, when its days were over).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from coloc.errors import StateError
from coloc.facts import write_whole
from coloc.times import iso

_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_RESERVE_BYTES = 256 * 1024
_MAX_BYTES = 16 * 1024 * 1024
_KEYS = ("id", "app", "host", "run", "began_at", "state", "units", "steps", "only", "wanted", "domain", "ended_at")


@dataclass(slots=True)
class RestoreJournal:
    """One restore. `folder` is its own: dumps and definitions lie there while it runs."""

    path: Path
    id: str
    app: str
    host: str
    run: str
    began_at: str
    state: str = "running"
    units: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    only: str = "all"
    wanted: str = ""  # the one path that was asked for
    ended_at: str = ""
    domain: str = ""  # the app came back on this one

    @property
    def is_unfinished(self) -> bool:
        """True for one that was cut off: it is neither done nor taken back."""
        return self.state in {"running", "copying", "undoing"}

    @property
    def folder(self) -> Path:
        """Private room beside the journal."""
        return self.path.with_suffix("")

    @property
    def _reserve(self) -> Path:
        return self.path.with_suffix(".reserve")

    def begin(self) -> None:
        """Make the room, and set some disk aside for the day when it is full. Raises StateError."""
        try:
            self.folder.mkdir(parents=True, mode=0o700)
            self._reserve.write_bytes(b"\0" * _RESERVE_BYTES)
        except OSError as error:
            raise self._full(error) from error
        self.write()

    def step(self, kind: str, **values: Any) -> None:
        """Say what comes next; it is on the disk when this returns. Raises StateError."""
        self.steps.append({"kind": kind, **values})
        self.write()

    def end(self, state: str, now: datetime) -> None:
        """It is over. Raises StateError."""
        self.state, self.ended_at = state, iso(now)
        self.write()
        self._reserve.unlink(missing_ok=True)

    def write(self) -> None:
        """Write all of it, whole."""
        text = json.dumps({name: getattr(self, name) for name in _KEYS}, indent=1)
        try:
            write_whole(self.path, text)
        except OSError:
            # The journal is the last thing to fail on a full disk: this is what the reserve is for.
            with suppress(OSError):
                self._reserve.unlink(missing_ok=True)
            try:
                write_whole(self.path, text)
            except OSError as error:
                raise self._full(error) from error

    def _full(self, error: OSError) -> StateError:
        return StateError(
            f"the journal of the restore cannot be written to {self.path.parent}: {error.strerror}",
            hint="run it as root; free some space there",
        )


def new_journal(folder: Path, id: str, *, app: str, host: str, run: str, now: datetime) -> RestoreJournal:
    """A journal below `folder` (paths.journal); nothing is written yet."""
    return RestoreJournal(folder / "restores" / f"{id}.json", id, app, host, run, iso(now))


def journals(folder: Path, *, only: Path | None = None) -> Iterator[RestoreJournal]:
    """All restores that are remembered, oldest first, or `only` one. Raises StateError for a damaged file."""
    for path in [only] if only else sorted((folder / "restores").glob("*.json")):
        if _ID.fullmatch(path.stem):
            yield _read(path)


def _read(path: Path) -> RestoreJournal:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_MAX_BYTES))
        steps = [dict(step) for step in data["steps"]]
        if data["id"] != path.stem or not all(isinstance(step["kind"], str) for step in steps):
            raise ValueError("not a journal of ours")
        words = [str(data[name]) for name in ("id", "app", "host", "run", "began_at", "state")]
        id_, app, host, run, began_at, state = words
        journal = RestoreJournal(path, id_, app, host, run, began_at, state)
        journal.units, journal.steps = [str(unit) for unit in data["units"]], steps
        journal.only, journal.wanted = str(data.get("only", "all")), str(data.get("wanted", ""))
        journal.ended_at, journal.domain = str(data.get("ended_at", "")), str(data.get("domain", ""))
        return journal
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError(
            f"{path} cannot be read: {error}", hint="look at it by hand: it says what a restore did"
        ) from error
