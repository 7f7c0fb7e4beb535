"""What root remembers of drills: what was proven when, what was downloaded, and what a killed drill left behind.

Root-only SQLite, a file of its own: losing it loses no archive, and means only that all drills are due again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backup.check_slices import CheckTurn
from coloc.errors import StateError
from coloc.times import iso, parse_iso

_FORM = 2  # 1 had no turns of checks
_TABLES = """
CREATE TABLE IF NOT EXISTS drills (
    host TEXT NOT NULL, app TEXT NOT NULL, whole_at TEXT, tried_at TEXT NOT NULL, tried_ok INTEGER NOT NULL,
    PRIMARY KEY (host, app)
) STRICT;
CREATE TABLE IF NOT EXISTS downloads (
    host TEXT NOT NULL, month TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (host, month)
) STRICT;
CREATE TABLE IF NOT EXISTS paces (host TEXT PRIMARY KEY, bytes_a_second REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS leftovers (kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (kind, name)) STRICT;
DROP TABLE IF EXISTS checks;
CREATE TABLE IF NOT EXISTS check_turns (
    host TEXT PRIMARY KEY, phase TEXT NOT NULL, after_set TEXT NOT NULL, failure TEXT NOT NULL, clean INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS runs (what TEXT PRIMARY KEY, started_at TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """The last word on an app at a host."""

    whole_at: datetime | None
    tried_at: datetime
    tried_ok: bool


class DrillJournal:
    """The open journal; every write is on the disk when it returns. Used from one thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection, self._path = connection, path

    def tried(self) -> dict[tuple[str, str], Tried]:
        """(app, host) → what is remembered."""
        rows = self.ask("SELECT app, host, whole_at, tried_at, tried_ok FROM drills")
        return {
            (str(app), str(host)): Tried(_time(whole), parse_iso(str(at)), bool(ok))
            for app, host, whole, at, ok in rows
        }

    def remember(self, host: str, app: str, at: datetime, *, ok: bool, whole: bool) -> None:
        """A drill came to its end; only a whole one that went well moves `whole_at`."""
        moment = iso(at)
        self.ask(
            "INSERT INTO drills VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (host, app) DO UPDATE SET "
            "whole_at = coalesce(?3, whole_at), tried_at = ?4, tried_ok = ?5",
            (host, app, moment if ok and whole else None, moment, int(ok)),
        )

    def keep_only(self, host: str, apps: Sequence[str]) -> None:
        """Forget the drills of apps that have no archive on a host any more."""
        marks = ", ".join("?" * len(apps))
        self.ask(f"DELETE FROM drills WHERE host = ? AND app NOT IN ({marks})", (host, *apps))  # noqa: S608 - marks

    def downloaded(self, host: str, month: str) -> int:
        """What was read from a host in a month ("2026-11")."""
        rows = self.ask("SELECT bytes FROM downloads WHERE host = ? AND month = ?", (host, month))
        return int(rows[0][0] or 0) if rows else 0

    def charge(self, host: str, month: str, size: int) -> None:
        """So much more; written before it is read, so that a killed drill is charged as well."""
        self.ask(
            "INSERT INTO downloads VALUES (?, ?, ?) "
            "ON CONFLICT (host, month) DO UPDATE SET bytes = bytes + excluded.bytes",
            (host, month, size),
        )

    def pace(self, host: str) -> float | None:
        """Bytes a second that drills were seen to prove there."""
        rows = self.ask("SELECT bytes_a_second FROM paces WHERE host = ?", (host,))
        return float(rows[0][0] or 0) if rows else None

    def remember_pace(self, host: str, bytes_a_second: float) -> None:
        """The newest figure."""
        self.ask("INSERT OR REPLACE INTO paces VALUES (?, ?)", (host, bytes_a_second))

    def leave(self, kind: str, name: str) -> None:
        """Something of ours will be there in a moment, and must go also when we are killed."""
        self.ask("INSERT OR REPLACE INTO leftovers VALUES (?, ?)", (kind, name))

    def gone(self, kind: str, name: str) -> None:
        """It is not there any more."""
        self.ask("DELETE FROM leftovers WHERE kind = ? AND name = ?", (kind, name))

    def leftovers(self) -> list[tuple[str, str]]:
        """What may still be there."""
        return [(str(kind), str(name)) for kind, name in self.ask("SELECT kind, name FROM leftovers")]

    def check_turn(self, host: str) -> CheckTurn:
        """Where the checks of a host stand."""
        rows = self.ask("SELECT phase, after_set, failure, clean FROM check_turns WHERE host = ?", (host,))
        return CheckTurn(str(rows[0][0]), str(rows[0][1]), str(rows[0][2]), bool(rows[0][3])) if rows else CheckTurn()

    def remember_check(self, host: str, turn: CheckTurn) -> None:
        """From here they go on."""
        values = (host, turn.phase, turn.after, turn.failure, int(turn.clean))
        self.ask("INSERT OR REPLACE INTO check_turns VALUES (?, ?, ?, ?, ?)", values)

    def last_run(self, what: str) -> datetime | None:
        """When the last rotation began."""
        rows = self.ask("SELECT started_at FROM runs WHERE what = ?", (what,))
        return _time(rows[0][0]) if rows else None

    def remember_run(self, what: str, at: datetime) -> None:
        """One begins."""
        self.ask("INSERT OR REPLACE INTO runs VALUES (?, ?)", (what, iso(at)))

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def ask(self, sql: str, values: Sequence[str | int | float | None] = ()) -> list[tuple[Any, ...]]:
        """One statement, committed. Raises StateError."""
        with _told(self._path), self.connection:
            return self.connection.execute(sql, values).fetchall()


def open_drill_journal(folder: Path) -> DrillJournal:
    """Open or create it below `folder` (paths.journal). Raises StateError."""
    path = folder / "drills.db"
    with _told(path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.chmod(0o600)
        connection = sqlite3.connect(path, timeout=30)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            form = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if form > _FORM:
                raise StateError(f"{path} was written by a newer coloc-agent", hint="upgrade coloc-agent")
            if form < _FORM:
                connection.executescript(f"BEGIN; {_TABLES}; PRAGMA user_version = {_FORM}; COMMIT;")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.close()
            raise
        return DrillJournal(connection, path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise StateError(
            f"the journal {path} cannot be used: {error}", hint="free some space on its disk, run as root; try again"
        ) from error
    except sqlite3.DatabaseError as error:
        raise StateError(
            f"the journal {path} is damaged: {error}",
            hint=f"move it away (mv {path} {path}.damaged) and try again: no archive is touched",
        ) from error


def _time(text: object) -> datetime | None:
    return parse_iso(str(text)) if text else None
