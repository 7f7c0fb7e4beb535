"""Keeps the days of the day book in state.db, for thirteen months, and gives them to the checks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from agent.charter.day_book import FIGURES, DayOfApp
from coloc.model import NO_PROJECT

KEEP_DAYS = 400
_ADD = ", ".join(
    f"{each} = CASE WHEN excluded.{each} IS NULL THEN {each} ELSE coalesce({each}, 0) + excluded.{each} END"
    for each in FIGURES
)
_PLACES = ", ".join("?" * (4 + len(FIGURES)))
_UPSERT = (
    f"INSERT INTO days (day, app, shares, seconds, {', '.join(FIGURES)}) VALUES ({_PLACES}) "  # noqa: S608 - constants
    f"ON CONFLICT (day, app) DO UPDATE SET shares = excluded.shares, seconds = seconds + excluded.seconds, {_ADD}"
)


@dataclass(frozen=True, slots=True)
class Watched:
    """What is remembered of an app's visitors and mails within a span. None: not measured."""

    days: int  # with a look at it
    first_day: str
    requests: float | None
    mails: float | None


def add(connection: sqlite3.Connection, days: Iterable[DayOfApp]) -> None:
    """Add these to what is kept of the same days; call it inside a transaction."""
    connection.executemany(
        _UPSERT,
        [
            (each.day, each.app, json.dumps(dict(each.shares)), each.seconds, *map(each.figures.get, FIGURES))
            for each in days
        ],
    )


def forget_before(connection: sqlite3.Connection, day: date) -> None:
    """Older days are gone."""
    connection.execute("DELETE FROM days WHERE day < ?", ((day - timedelta(days=KEEP_DAYS)).isoformat(),))


def days_between(connection: sqlite3.Connection, first: str, last: str) -> list[DayOfApp]:
    """The days from `first` to `last`, both included."""
    rows = connection.execute("SELECT * FROM days WHERE day BETWEEN ? AND ? ORDER BY day, app", (first, last))
    return _days(rows)


def days_of(
    connection: sqlite3.Connection, first: str, last: str, *, app: str = "", project: str = ""
) -> list[DayOfApp]:
    """Those of one app, or of the apps that one project bears a part of."""
    rows = connection.execute(
        "SELECT * FROM days WHERE day BETWEEN ? AND ? AND (app = ? OR "
        "EXISTS (SELECT 1 FROM json_each(shares) WHERE key = ?)) ORDER BY day, app",
        (first, last, app, project),
    )
    return _days(rows)


def _days(rows: Iterable[sqlite3.Row]) -> list[DayOfApp]:
    return [
        DayOfApp(
            row["day"],
            row["app"],
            _shares(row["shares"]),
            row["seconds"],
            {figure: row[figure] for figure in FIGURES if row[figure] is not None},
        )
        for row in rows
    ]


def watched(connection: sqlite3.Connection, first: str, last: str) -> Mapping[str, Watched]:
    """App → what is remembered of it from `first` to `last`."""
    rows = connection.execute(
        "SELECT app, count(*) AS days, min(day) AS first_day, sum(requests) AS requests, sum(mails) AS mails "
        "FROM days WHERE day BETWEEN ? AND ? AND seconds > 0 GROUP BY app",
        (first, last),
    )
    return {row["app"]: Watched(row["days"], row["first_day"], row["requests"], row["mails"]) for row in rows}


def _shares(text: str) -> Mapping[str, float]:
    return dict(json.loads(text)) or {NO_PROJECT: 1.0}
