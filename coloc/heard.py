"""What was heard in rooms and waits for the agent to decide on it. Kept in the transaction that moves the listener on.

`alerts.matrix_listener` adds rows, the daemon takes them. An event is kept once, however often a server tells of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from coloc.times import iso, parse_iso

_MOST = 1000  # that wait; beyond it somebody floods us
_TRIES = 3


class Did(StrEnum):
    """What a person did."""

    REACTED = "reacted"  # `text` is the sign
    TOOK_BACK = "took_back"  # `about` is what they took back
    ASKED = "asked"  # `text` is the command


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that a person did in a room. `room` as coloc.yml calls it; `about`: the event it refers to, or ""."""

    event: str
    room: str
    sender: str
    did: Did
    about: str
    text: str
    at: datetime
    id: int = 0


def keep(connection: sqlite3.Connection, heard: Iterable[Heard]) -> int:
    """Add what is new, inside the caller's transaction; returns how many there was no room for."""
    room = _MOST - int(connection.execute("SELECT count(*) FROM heard WHERE taken = 0").fetchone()[0])
    lost = 0
    for one in heard:
        if room <= 0:
            lost += 1
            continue
        added = connection.execute(
            "INSERT INTO heard (event, room, sender, did, about, text, at) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (event) DO NOTHING",
            (one.event, one.room, one.sender, one.did, one.about, one.text, iso(one.at)),
        )
        room -= added.rowcount
    return lost


def anything(connection: sqlite3.Connection) -> bool:
    """True when something waits."""
    return connection.execute("SELECT 1 FROM heard WHERE taken = 0 LIMIT 1").fetchone() is not None


def begin(connection: sqlite3.Connection) -> None:
    """A try to decide begins: what made us fail again and again is given up, so that it cannot hold the rest."""
    connection.execute("UPDATE heard SET tries = tries + 1 WHERE taken = 0")
    connection.execute("UPDATE heard SET taken = 1 WHERE taken = 0 AND tries > ?", (_TRIES,))


def waiting(connection: sqlite3.Connection) -> list[Heard]:
    """What waits, in the order in which it was heard."""
    return [_heard(row) for row in connection.execute("SELECT * FROM heard WHERE taken = 0 ORDER BY id").fetchall()]


def find(connection: sqlite3.Connection, event: str) -> Heard | None:
    """What was heard under this name, decided or not."""
    row = connection.execute("SELECT * FROM heard WHERE event = ?", (event,)).fetchone()
    return None if row is None else _heard(row)


def take(connection: sqlite3.Connection, number: int) -> None:
    """It was decided on."""
    connection.execute("UPDATE heard SET taken = 1 WHERE id = ?", (number,))


def _heard(row: sqlite3.Row) -> Heard:
    return Heard(
        row["event"],
        row["room"],
        row["sender"],
        Did(row["did"]),
        row["about"],
        row["text"],
        parse_iso(row["at"]),
        row["id"],
    )
