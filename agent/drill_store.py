"""Keeps the last word on each drill and on each host's checks, as root's one-shots reported them, in state.db."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from coloc.facts import Fact
from coloc.times import iso, parse_iso


@dataclass(frozen=True, slots=True)
class DrillStanding:
    """The last word on one app at one host. ratio: what part the last good drill proved; seconds: how long it took."""

    app: str
    host: str
    last_try_at: datetime
    last_try_ok: bool
    failure: str
    whole_at: datetime | None
    ratio: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckStanding:
    """The last word on the checks of one host. complete_at: when a whole turn of the repository was over."""

    host: str
    last_try_at: datetime
    ok: bool
    failure: str
    complete_at: datetime | None


def take(connection: sqlite3.Connection, fact: Fact, latest: str) -> None:
    """Remember a fact of ours; others are none of our business. `latest`: what is remembered beyond it was wrong."""
    host, app, at = _word(fact, "host"), _word(fact, "app"), iso(fact.at)
    ok, failure = fact.values.get("ok") is True, _word(fact, "failure")[:500]
    if fact.kind == "drill" and app and host:
        ratio = min(1.0, max(0.0, _number(fact, "ratio"))) if ok else None
        whole = at if ok and fact.values.get("whole") is True else None
        connection.execute(
            "INSERT INTO drills VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (app, host) DO UPDATE SET "
            "last_try_at = ?3, last_try_ok = ?4, failure = ?5, whole_at = coalesce(?6, whole_at), "
            "ratio = coalesce(?7, ratio), seconds = ?8 WHERE last_try_at <= ?3 OR last_try_at > ?9",
            (app, host, at, ok, failure, whole, ratio, max(0.0, _number(fact, "seconds")), latest),
        )
    elif fact.kind == "check" and host:
        complete = at if ok and fact.values.get("complete") is True else None
        connection.execute(
            "INSERT INTO checks VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (host) DO UPDATE SET "
            "last_try_at = ?2, ok = ?3, failure = ?4, complete_at = coalesce(?5, complete_at) "
            "WHERE last_try_at <= ?2 OR last_try_at > ?6",
            (host, at, ok, failure, complete, latest),
        )


def drills(connection: sqlite3.Connection) -> list[DrillStanding]:
    """The last word on every (app, host), in their order."""
    return [
        DrillStanding(
            row["app"],
            row["host"],
            parse_iso(row["last_try_at"]),
            bool(row["last_try_ok"]),
            row["failure"],
            _time(row["whole_at"]),
            row["ratio"],
            row["seconds"],
        )
        for row in connection.execute("SELECT * FROM drills ORDER BY app, host")
    ]


def checks(connection: sqlite3.Connection) -> list[CheckStanding]:
    """The last word on every host."""
    return [
        CheckStanding(
            row["host"], parse_iso(row["last_try_at"]), bool(row["ok"]), row["failure"], _time(row["complete_at"])
        )
        for row in connection.execute("SELECT * FROM checks ORDER BY host")
    ]


def forget(connection: sqlite3.Connection, app: str, host: str) -> None:
    """Drop what is known of an app whose archives were deleted there."""
    connection.execute("DELETE FROM drills WHERE app = ? AND host = ?", (app, host))


def _word(fact: Fact, name: str) -> str:
    value = fact.values.get(name)
    return value if isinstance(value, str) else ""


def _number(fact: Fact, name: str) -> float:
    value = fact.values.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _time(text: str | None) -> datetime | None:
    return parse_iso(text) if text else None
