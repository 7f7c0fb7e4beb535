"""What root remembers of backups: which repository is ours on each host, and which sets were proven. Root-only SQLite.

The daemon never opens it. Losing it loses no archive: what is not known as proven is kept until something is.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from backup.shrinking import Contents
from coloc.errors import StateError
from coloc.times import iso, parse_iso

_FORM = 4  # 1 had no nights, 2 no contents, 3 nothing of what leaves, no ledger, no identity
_TABLES = """
CREATE TABLE IF NOT EXISTS repositories (
    host TEXT PRIMARY KEY, location TEXT NOT NULL, repository_id TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS proven (
    host TEXT NOT NULL, app TEXT NOT NULL, run TEXT NOT NULL,
    proven_at TEXT NOT NULL, archives TEXT NOT NULL, original_bytes INTEGER NOT NULL,
    PRIMARY KEY (host, app, run)
) STRICT;
CREATE TABLE IF NOT EXISTS contents (
    host TEXT NOT NULL, app TEXT NOT NULL, folders TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (host, app)
) STRICT;
CREATE TABLE IF NOT EXISTS nights (host TEXT PRIMARY KEY, started_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS left_apps (app TEXT PRIMARY KEY, since TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS forgetting (
    app TEXT NOT NULL, host TEXT NOT NULL, asked_at TEXT NOT NULL, done_at TEXT, removed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app, host, asked_at)
) STRICT;
CREATE TABLE IF NOT EXISTS ledger (
    number INTEGER PRIMARY KEY, host TEXT NOT NULL, what TEXT NOT NULL, app TEXT NOT NULL, run TEXT NOT NULL,
    archives TEXT NOT NULL, at TEXT NOT NULL, mac TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS self (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


class Journal:
    """The open journal. Its methods may be called from several threads; each write is on the disk when they return."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path, self._lock = connection, path, threading.Lock()

    def repository_id(self, host: str, location: str) -> str | None:
        """The id of the repository that we know on this host at this place; None when we have never been there."""
        rows = self.ask("SELECT repository_id FROM repositories WHERE host = ? AND location = ?", (host, location))
        return str(rows[0][0]) if rows else None

    def known_at(self, host: str) -> tuple[str, str] | None:
        """Where a host's repository is known to be, and its id; None before the first contact."""
        rows = self.ask("SELECT location, repository_id FROM repositories WHERE host = ?", (host,))
        return (rows[0][0], rows[0][1]) if rows else None

    def remember_repository(self, host: str, location: str, repository_id: str) -> None:
        """From now on this is the repository of the host."""
        self.ask("INSERT OR REPLACE INTO repositories VALUES (?, ?, ?)", (host, location, repository_id))

    def forget_repository(self, host: str) -> None:
        """An admin accepts that this host has another repository from now on: nothing there is proven."""
        with self._guard(), self._connection:
            self._connection.execute("DELETE FROM proven WHERE host = ?", (host,))
            self._connection.execute("DELETE FROM repositories WHERE host = ?", (host,))

    def last_night(self, host: str) -> datetime | None:
        """When the last whole run for this host began; None when there was none."""
        rows = self.ask("SELECT started_at FROM nights WHERE host = ?", (host,))
        return parse_iso(rows[0][0]) if rows else None

    def remember_night(self, host: str, at: datetime) -> None:
        """A whole run for this host begins."""
        self.ask("INSERT OR REPLACE INTO nights VALUES (?, ?)", (host, iso(at)))

    def forget_nights(self) -> None:
        """Every host's night is due again; what is proven stays known."""
        self.ask("DELETE FROM nights", ())

    def remember_proven(
        self, host: str, app: str, run: str, *, at: datetime, archives: Sequence[str], original_bytes: int
    ) -> None:
        """This set was read back: its archives are all there and hold what we sent."""
        self.ask(
            "INSERT OR REPLACE INTO proven VALUES (?, ?, ?, ?, ?, ?)",
            (host, app, run, iso(at), json.dumps(list(archives)), original_bytes),
        )

    def proven(self, host: str) -> dict[tuple[str, str], frozenset[str]]:
        """(app, run) → the archives of each proven set of a host."""
        rows = self.ask("SELECT app, run, archives FROM proven WHERE host = ?", (host,))
        return {(row[0], row[1]): frozenset(json.loads(row[2])) for row in rows}

    def last_proven(self, host: str) -> dict[str, datetime]:
        """When each app was last proven on a host."""
        rows = self.ask("SELECT app, max(proven_at) FROM proven WHERE host = ? GROUP BY app", (host,))
        return {row[0]: parse_iso(row[1]) for row in rows}

    def sizes(self, host: str) -> dict[tuple[str, str], int]:
        """(app, run) → the bytes that each proven set holds."""
        rows = self.ask("SELECT app, run, original_bytes FROM proven WHERE host = ?", (host,))
        return {(row[0], row[1]): int(row[2]) for row in rows}

    def size_before(self, host: str, app: str) -> int:
        """The largest of an app's last three proven sets on a host; 0 when there is none."""
        sql = "SELECT original_bytes FROM proven WHERE host = ? AND app = ? ORDER BY proven_at DESC LIMIT 3"
        return max((int(row[0]) for row in self.ask(sql, (host, app))), default=0)

    def forget(self, host: str, sets: Sequence[tuple[str, str]]) -> None:
        """These sets were removed."""
        with self._guard(), self._connection:
            self._connection.executemany(
                "DELETE FROM proven WHERE host = ? AND app = ? AND run = ?", [(host, app, run) for app, run in sets]
            )

    def contents(self, host: str, app: str) -> Contents | None:
        """What an app's files were at the last good backup on a host; None when that is not known."""
        rows = self.ask("SELECT folders, files, bytes FROM contents WHERE host = ? AND app = ?", (host, app))
        return Contents(frozenset(json.loads(rows[0][0])), int(rows[0][1]), int(rows[0][2])) if rows else None

    def remember_contents(self, host: str, app: str, contents: Contents) -> None:
        """This is what the next backup is compared with."""
        folders = json.dumps(sorted(contents.folders))
        values = (host, app, folders, contents.files, contents.bytes)
        self.ask("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?)", values)

    def forget_contents(self, app: str) -> None:
        """An admin says that this app holds far less from now on."""
        self.ask("DELETE FROM contents WHERE app = ?", (app,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def folder(self) -> Path:
        """Where it lies: root's own folder."""
        return self._path.parent

    def ask(self, sql: str, values: Sequence[str | int] = ()) -> list[tuple[str, ...]]:
        """One statement of a file that owns a table of its own; written when it returns. Raises StateError."""
        with self._guard(), self._connection:
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several statements, all or none, by one writer at a time. Raises StateError."""
        with self._guard(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    @contextmanager
    def _guard(self) -> Iterator[None]:
        with self._lock, _told(self._path):
            yield


def open_journal(folder: Path) -> Journal:
    """Open or create the journal of backups below `folder`. Raises StateError."""
    path = folder / "backups.db"
    with _told(path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.chmod(0o600)
        connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            form = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if form > _FORM:
                raise StateError(f"{path} was written by a newer coloc-agent", hint="upgrade coloc-agent")
            if form < _FORM:  # a journal on a full disk can still be read
                connection.executescript(f"BEGIN; {_TABLES}; PRAGMA user_version = {_FORM}; COMMIT;")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.close()
            raise
        return Journal(connection, path)


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
