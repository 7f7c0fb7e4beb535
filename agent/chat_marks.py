"""The marks that people left on incidents in rooms, each with the event that left it, so that it can be taken back."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from agent.incidents import Incident
from coloc.times import iso, parse_iso


def add(connection: sqlite3.Connection, event: str, incident: Incident, *, verb: str, by: str, until: datetime) -> None:
    """Keep a mark, inside the caller's transaction; before the first one, what stands already (from a command)."""
    known = connection.execute("SELECT 1 FROM marks WHERE incident = ? AND verb = ?", (incident.id, verb)).fetchone()
    if known is None and verb == "ack" and incident.acked_by:
        _insert(connection, "", incident.id, verb=verb, by=incident.acked_by, until=until)
    if known is None and verb == "silence" and incident.silenced_until is not None:
        _insert(connection, "", incident.id, verb=verb, by="", until=incident.silenced_until)
    _insert(connection, event, incident.id, verb=verb, by=by, until=until)


def remove(connection: sqlite3.Connection, event: str) -> list[tuple[int, str]]:
    """Forget the marks that an event left; returns (incident, verb) of each."""
    rows = connection.execute("SELECT incident, verb FROM marks WHERE event = ? ORDER BY rowid", (event,)).fetchall()
    connection.execute("DELETE FROM marks WHERE event = ?", (event,))
    return [(row["incident"], row["verb"]) for row in rows]


def standing(connection: sqlite3.Connection, number: int, verb: str) -> tuple[str, datetime | None]:
    """What the marks that are left say: who came last, and until when at the latest."""
    rows = connection.execute(
        "SELECT by, until FROM marks WHERE incident = ? AND verb = ? ORDER BY rowid", (number, verb)
    ).fetchall()
    return (rows[-1]["by"], max(parse_iso(row["until"]) for row in rows)) if rows else ("", None)


def _insert(connection: sqlite3.Connection, event: str, number: int, *, verb: str, by: str, until: datetime) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO marks (event, incident, verb, by, until) VALUES (?, ?, ?, ?, ?)",
        (event, number, verb, by, iso(until)),
    )
