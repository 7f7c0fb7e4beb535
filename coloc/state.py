"""state.db: the daemon's memory, and nobody else's. SQLite in WAL mode, numbered migrations, a copy before each.

Root programs never open it. Tables are spoken to by the file that owns their subject.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from coloc.errors import StateError

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

    CREATE TABLE facts (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, at TEXT NOT NULL, data TEXT NOT NULL
    ) STRICT;

    -- The last word on each (app, host): what the page, the metrics and the rules need.
    CREATE TABLE backups (
        app TEXT NOT NULL, host TEXT NOT NULL,
        last_try_at TEXT, last_try_ok INTEGER, failure TEXT NOT NULL DEFAULT '',
        last_success_at TEXT, last_proven_at TEXT, archive TEXT, archive_bytes INTEGER,
        PRIMARY KEY (app, host)
    ) STRICT;

    CREATE TABLE incidents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- people and messages name it: never given twice
        key TEXT NOT NULL,            -- rule and labels: one open incident per key
        rule TEXT NOT NULL, labels TEXT NOT NULL,
        phase TEXT NOT NULL, severity TEXT NOT NULL,
        value TEXT NOT NULL DEFAULT '',
        pending_since TEXT NOT NULL, fired_at TEXT, clearing_since TEXT, resolved_at TEXT,
        acked_by TEXT NOT NULL DEFAULT '', silenced_until TEXT,
        told INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE UNIQUE INDEX one_open_incident ON incidents (key) WHERE resolved_at IS NULL;
    CREATE TABLE incident_history (
        incident INTEGER NOT NULL REFERENCES incidents (id),
        at TEXT NOT NULL, change TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT;

    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL, target TEXT NOT NULL,
        kind TEXT NOT NULL,            -- new | edit | reply
        key TEXT NOT NULL UNIQUE,      -- writing the same message twice is one message
        about TEXT NOT NULL,           -- edits and replies: the key of the message they belong to
        payload TEXT NOT NULL, txn_id TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting',  -- waiting | blocked | sent | refused | dropped
        attempts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
        created_at TEXT NOT NULL, next_try_at TEXT NOT NULL, sent_at TEXT, remote_id TEXT
    ) STRICT;
    CREATE INDEX outbox_queue ON outbox (state, channel, target, id);

    CREATE TABLE quota_steps (
        project TEXT NOT NULL, resource TEXT NOT NULL, step TEXT NOT NULL, since TEXT NOT NULL, evidence TEXT NOT NULL,
        would_have_acted INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (project, resource)
    ) STRICT;
    """,
    """
    ALTER TABLE incidents ADD COLUMN loudest TEXT NOT NULL DEFAULT '';
    ALTER TABLE incidents ADD COLUMN beginnings TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE incidents ADD COLUMN unstable INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incidents ADD COLUMN held TEXT NOT NULL DEFAULT '';
    ALTER TABLE incidents ADD COLUMN cause INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incidents ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incidents ADD COLUMN followers INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX ended_incidents ON incidents (resolved_at);

    -- Where an incident is told: `about` is the key of the message, which it may share with others.
    CREATE TABLE told (
        incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
        channel TEXT NOT NULL, target TEXT NOT NULL, about TEXT NOT NULL,
        at TEXT NOT NULL, rings INTEGER NOT NULL,
        PRIMARY KEY (incident, channel)
    ) STRICT;
    CREATE INDEX told_about ON told (about);
    INSERT OR IGNORE INTO told
        SELECT incidents.id, channel, target, outbox.key, created_at, 1 FROM outbox JOIN incidents
        ON outbox.key = 'incident:' || incidents.id || ':' || channel || ':' || target;

    CREATE TABLE silences (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        rule TEXT NOT NULL, labels TEXT NOT NULL,  -- what it covers: '' is every rule; labels that must be so
        begins_at TEXT NOT NULL, ends_at TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL
    ) STRICT;
    """,
    """
    -- What people did in rooms, kept in the transaction that moves the listener on.
    CREATE TABLE heard (
        id INTEGER PRIMARY KEY, event TEXT NOT NULL UNIQUE,
        room TEXT NOT NULL, sender TEXT NOT NULL, did TEXT NOT NULL, about TEXT NOT NULL, text TEXT NOT NULL,
        at TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX heard_waiting ON heard (taken, id);
    -- The marks that they left on incidents, by the event that left them: taking it back removes them.
    CREATE TABLE marks (
        event TEXT NOT NULL, incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
        verb TEXT NOT NULL, by TEXT NOT NULL, until TEXT NOT NULL,
        PRIMARY KEY (event, incident, verb)
    ) STRICT;
    CREATE INDEX outbox_remote ON outbox (remote_id);
    """,
    """
    -- The last word on each drill, and on the checks of each host.
    CREATE TABLE drills (
        app TEXT NOT NULL, host TEXT NOT NULL,
        last_try_at TEXT NOT NULL, last_try_ok INTEGER NOT NULL, failure TEXT NOT NULL,
        whole_at TEXT, ratio REAL, seconds REAL NOT NULL,
        PRIMARY KEY (app, host)
    ) STRICT;
    CREATE TABLE checks (
        host TEXT PRIMARY KEY, last_try_at TEXT NOT NULL, ok INTEGER NOT NULL, failure TEXT NOT NULL, complete_at TEXT
    ) STRICT;
    """,
    """
    -- Limits of single apps beside those of projects ('' is the whole project), and when each began to be simulated.
    ALTER TABLE quota_steps RENAME TO quota_steps_before;
    CREATE TABLE quota_steps (
        project TEXT NOT NULL, app TEXT NOT NULL DEFAULT '', resource TEXT NOT NULL,
        step TEXT NOT NULL, since TEXT NOT NULL, evidence TEXT NOT NULL,
        would_have_acted INTEGER NOT NULL DEFAULT 0, watched_since TEXT NOT NULL,
        PRIMARY KEY (project, app, resource)
    ) STRICT;
    INSERT INTO quota_steps (project, resource, step, since, evidence, would_have_acted, watched_since)
        SELECT project, resource, step, since, evidence, would_have_acted, since FROM quota_steps_before;
    DROP TABLE quota_steps_before;
    """,
    """
    -- What each app used in a day, and who bears it; NULL: not measured.
    CREATE TABLE days (
        day TEXT NOT NULL, app TEXT NOT NULL, shares TEXT NOT NULL, seconds REAL NOT NULL,
        cpu_seconds REAL, traffic_bytes REAL, requests REAL, mails REAL,
        memory_byte_seconds REAL, disk_byte_seconds REAL, backup_byte_seconds REAL,
        PRIMARY KEY (day, app)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    -- Planned work; app and project '': the whole server. And where it was told: `about` is the key of the message.
    CREATE TABLE maintenances (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- people name it: never given twice
        title TEXT NOT NULL, by TEXT NOT NULL, app TEXT NOT NULL, project TEXT NOT NULL,
        declared_at TEXT NOT NULL, begins_at TEXT NOT NULL, ends_at TEXT NOT NULL,
        phase TEXT NOT NULL, started_at TEXT, ended_at TEXT,
        reminded INTEGER NOT NULL, overrun INTEGER NOT NULL, broken TEXT NOT NULL, told INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE maintenance_told (
        maintenance INTEGER NOT NULL REFERENCES maintenances (id) ON DELETE CASCADE,
        channel TEXT NOT NULL, target TEXT NOT NULL, about TEXT NOT NULL,
        PRIMARY KEY (maintenance, channel, target)
    ) STRICT;
    CREATE INDEX maintenance_told_about ON maintenance_told (about);
    """,
    """
    -- Requests that were obeyed: their files are removed afterwards, and may come back after a crash.
    CREATE TABLE obeyed (id TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    -- Which messages tell of one is asked for each incident while Matrix is silent.
    CREATE INDEX outbox_about ON outbox (about);
    """,
    """
    -- What an Alertmanager told us, as it stands; what it took back stays a day.
    CREATE TABLE foreign_alerts (
        fingerprint TEXT PRIMARY KEY, name TEXT NOT NULL, labels TEXT NOT NULL, severity TEXT NOT NULL,
        value TEXT NOT NULL, firing INTEGER NOT NULL, seen_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)
# A damaged file may name a table in bytes that are no text: Python then stumbles over SQLite's own message.
_TROUBLE = (sqlite3.DatabaseError, UnicodeDecodeError)
_HISTORY_ROWS = 20_000
_RESERVE_BYTES = 1024 * 1024
_ROOM_BYTES = 128 * 1024
_BITE = 200  # rows
_LOG_PAGES = 64  # a log that is written back often stays small, and is written over on a full disk
_MAX_PAGES = 65_536  # of 4096 bytes: 256 MiB, far above what the bounds below leave

# Messages that were settled and that nothing will edit any more: the first message of an open incident stays, however
# old, because the word that the incident is over edits it; so does that of a maintenance.
_NOTHING_FOLLOWS = (
    "state IN ('sent', 'dropped', 'refused') "
    "AND about NOT IN (SELECT about FROM outbox WHERE state IN ('waiting', 'blocked')) "
    "AND about NOT IN (SELECT about FROM told JOIN incidents ON told.incident = incidents.id WHERE resolved_at IS NULL)"
    "AND about NOT IN (SELECT about FROM maintenance_told JOIN maintenances ON maintenance = id WHERE ended_at IS NULL)"
)


class State:
    """The open database. One connection, used from the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing of it. Raises StateError when the disk is full or the file is damaged."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                raise
        except _TROUBLE as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise self._trouble(error) from error

    def _trouble(self, error: sqlite3.DatabaseError | UnicodeDecodeError) -> StateError:
        if isinstance(error, sqlite3.OperationalError):
            why = _why(self.path, error)
            return StateError(
                f"{self.path} cannot be used: {why}", hint="free some space on its disk; nothing was lost"
            )
        return _damaged(self.path, error)

    def get(self, key: str) -> str | None:
        """One remembered word. Raises StateError."""
        try:
            row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        except _TROUBLE as error:
            raise self._trouble(error) from error
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        """Remember a word; call it inside a transaction when it belongs to other changes. Raises StateError."""
        try:
            self.connection.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
            )
        except _TROUBLE as error:
            raise self._trouble(error) from error

    def words_below(self, place: str) -> dict[str, str]:
        """The remembered words whose keys begin with `place`. Raises StateError."""
        try:
            rows = self.connection.execute(
                "SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?", (len(place), place)
            ).fetchall()
        except _TROUBLE as error:
            raise self._trouble(error) from error
        return {str(row[0]): str(row[1]) for row in rows}

    def tidy(self, before: str, *, keep: int = _HISTORY_ROWS) -> None:
        """Forget history older than `before` (ISO, UTC) and beyond `keep` rows a table; never what is still to be sent.

        Facts that fall out of the spool after thirty days are forgotten only after that, so none is taken twice.
        """
        with self.transaction() as connection:
            connection.execute("DELETE FROM facts WHERE at < ?", (before,))
            connection.execute("DELETE FROM heard WHERE taken = 1 AND at < ?", (before,))
            connection.execute(
                f"DELETE FROM outbox WHERE {_NOTHING_FOLLOWS} AND created_at < ?",  # noqa: S608 - a constant
                (before,),
            )
            connection.execute("DELETE FROM obeyed WHERE at < ?", (before,))
            connection.execute("DELETE FROM silences WHERE ends_at < ?", (before,))
            connection.execute("DELETE FROM maintenances WHERE ended_at < ?", (before,))
            connection.execute("DELETE FROM incident_history WHERE at < ?", (before,))
            connection.execute(
                "DELETE FROM incidents WHERE resolved_at < ? AND id NOT IN (SELECT incident FROM incident_history)",
                (before,),
            )
            connection.execute(
                "DELETE FROM incident_history WHERE rowid <= (SELECT max(rowid) FROM incident_history) - ?", (keep,)
            )

    def give_up_history(self) -> None:
        """The disk is full: free the reserve beside the file and forget history, so that messages can still be kept.

        Open incidents and the outbox are never touched. Raises StateError when not even that can be written.
        """
        _reserve_of(self.path).unlink(missing_ok=True)
        for table, which in (
            ("incident_history", "1"),
            (
                "incidents",
                "resolved_at IS NOT NULL AND held = '' AND id NOT IN (SELECT incident FROM incident_history)",
            ),
            ("outbox", _NOTHING_FOLLOWS),
        ):
            self._give_up(table, which)

    def _give_up(self, table: str, which: str) -> None:
        """In small bites: what is deleted is written to the log first, and a full disk has no room for a long one."""
        bite = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {which} LIMIT {_BITE})"  # noqa: S608 - constants
        deleted = _BITE
        while deleted == _BITE:
            with self.transaction() as connection:
                deleted = connection.execute(bite).rowcount

    def keep_reserve(self) -> None:
        """Lay one MiB aside for the day when the disk is full; nothing when there is no room for it now."""
        reserve = _reserve_of(self.path)
        if reserve.exists():
            return
        try:
            with reserve.open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
        except OSError:
            reserve.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self.connection.close()


def open_state(path: Path, *, migrations: Sequence[str] = MIGRATIONS) -> State:
    """Open or create state.db and bring it to the present form.

    Raises StateError for a file of a newer agent, a damaged one, or one that cannot be written. Before a migration the
    file is copied to `state.db.before-N`, N being the form it is brought to. On a full disk the reserve is given up.
    """
    try:
        return _open(path, migrations)
    except StateError:
        reserve = _reserve_of(path)
        if not (disk_is_full(path.parent) and reserve.exists()):
            raise
        reserve.unlink(missing_ok=True)
        return _open(path, migrations)


def disk_is_full(folder: Path) -> bool:
    """True when a state in `folder` has no room to be written, nor even to be opened."""
    try:
        stat = os.statvfs(folder)
    except OSError:
        return False
    return stat.f_bavail * stat.f_frsize < _ROOM_BYTES


def _open(path: Path, migrations: Sequence[str]) -> State:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        connection = _connect(path)
    except (OSError, sqlite3.OperationalError) as error:
        why = _why(path, error)
        raise StateError(f"{path} cannot be opened: {why}", hint="check its folder's owner and free space") from error
    except _TROUBLE as error:
        raise _damaged(path, error) from error
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version < 0:
            raise _damaged(path, f"form {version}")
        if version > len(migrations):
            raise StateError(
                f"{path} was written by a newer coloc-agent (form {version}, this one knows {len(migrations)})",
                hint=f"upgrade coloc-agent, or put back {path.name}.before-{version}",
            )
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise _damaged(path, damage)
        for number in range(version + 1, len(migrations) + 1):
            _migrate(connection, path, number, migrations[number - 1], is_new=version == 0)
    except sqlite3.OperationalError as error:
        connection.close()
        raise StateError(
            f"{path} cannot be brought up to date: {_why(path, error)}",
            hint="free some space on its disk and start again",
        ) from error
    except _TROUBLE as error:
        connection.close()
        raise _damaged(path, error) from error
    except StateError:
        connection.close()
        raise
    return State(connection, path)


def connect_again(path: Path) -> State:
    """One more connection to a state that `open_state` brought up to date, for a thread of the daemon."""
    return State(_connect(path), path)


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"max_page_count = {_MAX_PAGES}",
            f"wal_autocheckpoint = {_LOG_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path, number: int, script: str, *, is_new: bool) -> None:
    if not is_new:
        copy = path.with_name(f"{path.name}.before-{number}")
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
    connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")


def _why(path: Path, error: Exception) -> str:
    """SQLite says "disk I/O error" when it has no room for the files beside the database."""
    return "its disk is full" if disk_is_full(path.parent) else str(error)


def _reserve_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.reserve")


def _damaged(path: Path, why: object) -> StateError:
    return StateError(
        f"{path} is damaged: {why}",
        hint=f"stop the agent, move it away (mv {path} {path}.damaged) and start it: no archive is touched",
    )
