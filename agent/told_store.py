"""Where each incident is told: the message that tells it, on each channel, which it may share with others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from coloc.times import iso, parse_iso

_TOGETHER = timedelta(seconds=15)  # since the last one that joined: ticks are five seconds apart
_AT_MOST = timedelta(minutes=1)  # since the first


@dataclass(frozen=True, slots=True)
class Place:
    """The message that tells an incident on a channel: `about` is its key in the outbox."""

    channel: str
    target: str
    about: str


@dataclass(frozen=True, slots=True)
class LastMessage:
    """The last message that began at a place. `rings`: it rang, so that what joins it needs not ring again."""

    about: str
    began_at: datetime
    joined_at: datetime
    rings: bool


def may_join(last: LastMessage | None, now: datetime, *, rings: bool) -> bool:
    """True when what begins now belongs into the last message: within seconds, and no louder than it was. Pure."""
    if last is None or (rings and not last.rings):
        return False
    return timedelta(0) <= now - last.joined_at <= _TOGETHER and timedelta(0) <= now - last.began_at <= _AT_MOST


def places(connection: sqlite3.Connection, number: int) -> dict[str, Place]:
    """channel → where an incident is told."""
    rows = connection.execute("SELECT channel, target, about FROM told WHERE incident = ?", (number,))
    return {row["channel"]: Place(row["channel"], row["target"], row["about"]) for row in rows}


def told_by(connection: sqlite3.Connection, about: str) -> list[int]:
    """The numbers of the incidents that a message tells."""
    return [row[0] for row in connection.execute("SELECT incident FROM told WHERE about = ? ORDER BY 1", (about,))]


def last_message(connection: sqlite3.Connection, channel: str, target: str) -> LastMessage | None:
    """The message at this place that something joined last."""
    row = connection.execute(
        "SELECT about, min(at) AS began_at, max(at) AS joined_at, max(rings) AS rings FROM told "
        "WHERE channel = ? AND target = ? GROUP BY about ORDER BY joined_at DESC LIMIT 1",
        (channel, target),
    ).fetchone()
    if row is None:
        return None
    return LastMessage(row["about"], parse_iso(row["began_at"]), parse_iso(row["joined_at"]), bool(row["rings"]))


def is_heard(connection: sqlite3.Connection, number: int, place: Place) -> bool:
    """True when something was said there since the incident became part of its message."""
    row = connection.execute(
        "SELECT 1 FROM told JOIN outbox ON outbox.about = told.about AND outbox.created_at >= told.at "
        "WHERE told.incident = ? AND told.channel = ? AND outbox.state = 'sent' LIMIT 1",
        (number, place.channel),
    ).fetchone()
    return row is not None


def remember(
    connection: sqlite3.Connection, numbers: Iterable[int], place: Place, now: datetime, *, rings: bool
) -> None:
    """These incidents are told there, inside the caller's transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO told (incident, channel, target, about, at, rings) VALUES (?, ?, ?, ?, ?, ?)",
        [(number, place.channel, place.target, place.about, iso(now), rings) for number in numbers],
    )
