"""Trouble of a channel, told where people can still hear it: once, and edited when it is over.

A room of Matrix that does not take our words is told of in the machine's room; when that one is in trouble, or the
forum, the others say so. The forum itself is never used for this, a last resort only for a dead letter. The console
(the journal) always hears.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.messages import channel_in_trouble, channel_well_again
from coloc import outbox
from coloc.config.channels import LAST_RESORTS
from coloc.config.whole import Config
from coloc.outbox import Kind, Message, Row


@dataclass(frozen=True, slots=True)
class Place:
    """Where something can be said."""

    channel: str
    target: str
    language: str
    is_last: bool = False  # a last resort


Elsewhere = Callable[[str, str], Sequence[Place]]  # a channel and target in trouble → where to tell of it


def elsewhere_of(config: Config) -> Elsewhere:
    """The places that a configuration has for the trouble of others."""
    language, matrix = config.coloc.language, config.channels.matrix
    console = Place("console", "console", language)
    room = Place("matrix", matrix.room, matrix.language or language) if matrix and config.reaches("alert") else None
    last = [
        Place(name, name, described.language or language, is_last=True)
        for name in LAST_RESORTS
        if (described := getattr(config.channels, name)) is not None and config.reaches("alert")
    ]

    def places(channel: str, target: str) -> list[Place]:
        known = [place for place in (room, *last, console) if place is not None]
        return [place for place in known if (place.channel, place.target) != (channel, target)]

    return places


def tell_trouble(
    connection: sqlite3.Connection, row: Row, why: str, *, waiting: int, places: Sequence[Place], now: datetime
) -> None:
    """Say once for a row that its channel does not take it, inside the caller's transaction."""
    for place in places:
        message = channel_in_trouble(row.channel, row.target, why, waiting, place.language)
        _add(connection, place, _key(row, place), message, kind=Kind.NEW, key=_key(row, place), now=now)


def tell_over(connection: sqlite3.Connection, row: Row, places: Sequence[Place], now: datetime) -> None:
    """The row was said after all: where its trouble was told, say so by an edit."""
    for place in places:
        first = _key(row, place)
        if connection.execute("SELECT 1 FROM outbox WHERE key = ?", (first,)).fetchone() is not None:
            message = channel_well_again(row.channel, row.target, place.language)
            _add(connection, place, first, message, kind=Kind.EDIT, key=f"{first}:over", now=now)


def _add(
    connection: sqlite3.Connection, place: Place, about: str, message: Message, *, kind: Kind, key: str, now: datetime
) -> None:
    outbox.add(
        connection,
        channel=place.channel,
        target=place.target,
        kind=kind,
        key=key,
        about=about,
        message=message,
        now=now,
    )


def _key(row: Row, place: Place) -> str:
    return f"trouble:{row.id}:{place.channel}"
