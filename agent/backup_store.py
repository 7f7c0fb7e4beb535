"""Takes facts from the spool into state.db: each once, in one transaction, and keeps the last word on each backup."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent import drill_store, host_store
from coloc.facts import BadFact, Fact, Spool
from coloc.state import State
from coloc.times import iso, now_utc, parse_iso

logger = logging.getLogger(__name__)
_CLOCK_ERROR = timedelta(hours=1)
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class BackupStanding:
    """The last word on one app at one host. Times are None when it never happened."""

    app: str
    host: str
    last_try_at: datetime | None
    last_try_ok: bool
    failure: str
    last_success_at: datetime | None
    last_proven_at: datetime | None
    archive: str
    archive_bytes: int | None


class FactReader:
    """Follows the spool; remembers in memory what it took, and in state.db for after a restart."""

    def __init__(self, state: State, spool: Spool) -> None:
        self._state, self._spool = state, spool
        self._known = {row[0] for row in state.connection.execute("SELECT id FROM facts")}
        self._bad: set[str] = set()
        self._read_to: int | None = None  # when the spool last changed, once everything before was read

    def take(self, now: datetime | None = None) -> list[Fact]:
        """Take what is new, all in one transaction, and return it oldest first. Raises StateError.

        What was remembered later than `now` (the present, when it is not said) was written by a clock that went wrong:
        it does not outlive the next word.
        """
        changed = self._spool.changed_at()
        if changed is not None and changed == self._read_to:
            return []
        latest = iso(now or now_utc())
        new: list[Fact] = []
        for fact in self._spool.read(known=frozenset(self._known | self._bad)):
            if isinstance(fact, BadFact):
                self._bad.add(fact.id)
                logger.error("a file of the spool is not a fact", extra={"file": fact.id[:100], "why": fact.why})
            else:
                new.append(fact)
        if new:
            with self._state.transaction() as connection:
                new = [fact for fact in new if _remember(connection, fact, latest)]
            self._known |= {fact.id for fact in new}
        # A file may still arrive within the same tick of the filesystem's clock: then the folder looks unchanged.
        self._read_to = changed if changed is not None and time.time_ns() - changed > _SETTLED_NS else None
        return new

    @property
    def bad_files(self) -> int:
        """How many files of the spool were not facts since the start."""
        return len(self._bad)


def _remember(connection: sqlite3.Connection, fact: Fact, latest: str) -> bool:
    data = json.dumps(dict(fact.values), ensure_ascii=False)
    cursor = connection.execute(
        "INSERT INTO facts VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", (fact.id, fact.kind, iso(fact.at), data)
    )
    if not cursor.rowcount:
        return False
    host_store.take(connection, fact, latest)
    app, host = _word(fact, "app"), _word(fact, "host")
    if fact.kind == "backup" and app and host:
        _take_backup(connection, fact, app, host, latest)
    elif fact.kind == "proof" and app and host and fact.values.get("ok", True) is True:
        connection.execute(
            "UPDATE backups SET last_proven_at = ? WHERE app = ? AND host = ? "
            "AND (coalesce(last_proven_at, '') <= ? OR last_proven_at > ?)",
            (iso(fact.at), app, host, iso(fact.at), latest),
        )
    elif fact.kind == "forgotten" and app and host:
        connection.execute("DELETE FROM backups WHERE app = ? AND host = ?", (app, host))
        drill_store.forget(connection, app, host)
    elif fact.kind == "adopted":
        # The original has sent, or will send, what waited when the copy was made.
        connection.execute("UPDATE outbox SET state = 'dropped' WHERE state IN ('waiting', 'blocked')")
        machine = _word(fact, "machine")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('machine', ?)", (machine,))
    else:
        drill_store.take(connection, fact, latest)
    return True


def _take_backup(connection: sqlite3.Connection, fact: Fact, app: str, host: str, latest: str) -> None:
    good, at = fact.values.get("ok") is True, iso(fact.at)
    size = fact.values.get("bytes")
    size = size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63 else None
    connection.execute("INSERT INTO backups (app, host) VALUES (?, ?) ON CONFLICT (app, host) DO NOTHING", (app, host))
    connection.execute(
        "UPDATE backups SET last_try_at = ?, last_try_ok = ?, failure = ? "
        "WHERE app = ? AND host = ? AND (coalesce(last_try_at, '') <= ? OR last_try_at > ?)",
        (at, good, "" if good else _word(fact, "failure")[:500], app, host, at, latest),
    )
    if good:
        connection.execute(
            "UPDATE backups SET last_success_at = ?, archive = ?, archive_bytes = ? "
            "WHERE app = ? AND host = ? AND (coalesce(last_success_at, '') <= ? OR last_success_at > ?)",
            (at, _word(fact, "archive")[:300], size, app, host, at, latest),
        )


def _word(fact: Fact, name: str) -> str:
    value = fact.values.get(name)
    return value if isinstance(value, str) else ""


def standings(connection: sqlite3.Connection) -> list[BackupStanding]:
    """The last word on every (app, host), in their order."""
    return [
        BackupStanding(
            row["app"],
            row["host"],
            _time(row["last_try_at"]),
            bool(row["last_try_ok"]),
            row["failure"],
            _time(row["last_success_at"]),
            _time(row["last_proven_at"]),
            row["archive"] or "",
            row["archive_bytes"],
        )
        for row in connection.execute("SELECT * FROM backups ORDER BY app, host")
    ]


def forget(connection: sqlite3.Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """Drop the standing of apps or hosts that are no longer configured; their archives are not touched."""
    connection.executemany("DELETE FROM backups WHERE app = ? AND host = ?", list(pairs))


def last_run(connection: sqlite3.Connection, kind: str) -> datetime | None:
    """When the last fact of a kind (`run_started`, `run_finished`) happened."""
    row = connection.execute("SELECT max(at) FROM facts WHERE kind = ?", (kind,)).fetchone()
    return _time(row[0])


def host_starts(connection: sqlite3.Connection, now: datetime | None = None) -> dict[str, datetime]:
    """When the last whole run for each host began, by the facts of the last runs."""
    found: dict[str, datetime] = {}
    sql = "SELECT at, data FROM facts WHERE kind = 'run_started' AND at <= ? ORDER BY at DESC LIMIT 50"
    for row in connection.execute(sql, (_present(now),)):
        hosts = json.loads(row["data"]).get("hosts")
        for host in hosts if isinstance(hosts, list) else []:
            if isinstance(host, str):
                found.setdefault(host, parse_iso(row["at"]))
    return found


def host_troubles(connection: sqlite3.Connection, now: datetime | None = None) -> dict[str, tuple[bool, str]]:
    """For each host: whether it could be reached when it was last tried, and why not."""
    found = {}
    for row in connection.execute(
        "SELECT data FROM facts WHERE kind = 'host' AND at <= ? ORDER BY at", (_present(now),)
    ):
        values = json.loads(row[0])
        if isinstance(values.get("host"), str):
            found[values["host"]] = (values.get("reachable") is True, str(values.get("why", ""))[:500])
    return found


def _present(now: datetime | None) -> str:
    """What was written later than this was written by a clock that went wrong: it hides no later, truer word."""
    return iso((now or now_utc()) + _CLOCK_ERROR)


def _time(text: str | None) -> datetime | None:
    return parse_iso(text) if text else None
