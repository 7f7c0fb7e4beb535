"""Keeps incidents in state.db: the open ones, their history, the steps of an evaluation."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import datetime

from agent.incidents import Change, Incident, Phase, Severity, Step
from coloc.times import iso, parse_iso


def open_incidents(connection: sqlite3.Connection) -> dict[str, Incident]:
    """Every incident that is not over, by its key."""
    rows = connection.execute("SELECT * FROM incidents WHERE resolved_at IS NULL ORDER BY id")
    return {row["key"]: _incident(row) for row in rows}


def held_and_over(connection: sqlite3.Connection) -> list[Incident]:
    """Incidents that were over before the word that was due of them could be said."""
    rows = connection.execute("SELECT * FROM incidents WHERE held <> '' AND resolved_at IS NOT NULL ORDER BY id")
    return [_incident(row) for row in rows]


def over_since(connection: sqlite3.Connection, moment: datetime) -> list[Incident]:
    """Incidents that people could hear of and that ended at `moment` or later."""
    rows = connection.execute(
        "SELECT * FROM incidents WHERE resolved_at >= ? AND fired_at IS NOT NULL ORDER BY id", (iso(moment),)
    )
    return [_incident(row) for row in rows]


def latest(connection: sqlite3.Connection, limit: int) -> list[Incident]:
    """The incidents that people were told of, newest first; open ones before those that are over."""
    rows = connection.execute(
        "SELECT * FROM incidents WHERE fired_at IS NOT NULL ORDER BY resolved_at IS NOT NULL, id DESC LIMIT ?", (limit,)
    )
    return [_incident(row) for row in rows]


def get(connection: sqlite3.Connection, number: int) -> Incident | None:
    """One incident by its number."""
    if not 0 < number < 2**63:
        return None
    row = connection.execute("SELECT * FROM incidents WHERE id = ?", (number,)).fetchone()
    return None if row is None else _incident(row)


def history(connection: sqlite3.Connection, number: int) -> list[tuple[datetime, str, str]]:
    """What happened to an incident: (when, what, detail), oldest first."""
    rows = connection.execute("SELECT * FROM incident_history WHERE incident = ? ORDER BY rowid", (number,))
    return [(parse_iso(row["at"]), row["change"], row["detail"]) for row in rows]


def save(connection: sqlite3.Connection, step: Step, now: datetime) -> Incident:
    """Write one step down and return the incident with its number; a pending one that vanished leaves no trace."""
    incident = step.incident
    if step.change is Change.VANISHED:
        connection.execute("DELETE FROM incident_history WHERE incident = ?", (incident.id,))
        connection.execute("DELETE FROM incidents WHERE id = ?", (incident.id,))
        return incident
    if incident.id == 0:
        incident = replace(incident, id=_insert(connection, incident))
    else:
        _update(connection, incident)
    if step.change not in {None, Change.UPDATED}:
        note(connection, incident.id, now, str(step.change), json.dumps(dict(incident.value)))
    return incident


def note(connection: sqlite3.Connection, number: int, now: datetime, change: str, detail: str) -> None:
    """Add a line to an incident's history."""
    connection.execute("INSERT INTO incident_history VALUES (?, ?, ?, ?)", (number, iso(now), change, detail[:2000]))


def update(connection: sqlite3.Connection, incident: Incident) -> None:
    """Write marks (acknowledged, silenced, told) of an incident that is known already."""
    _update(connection, incident)


def _insert(connection: sqlite3.Connection, incident: Incident) -> int:
    cursor = connection.execute(
        "INSERT INTO incidents (key, rule, labels, pending_since, phase, severity, value) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            incident.key,
            incident.rule,
            json.dumps(incident.labels),
            iso(incident.pending_since),
            incident.phase,
            incident.severity,
            json.dumps(dict(incident.value)),
        ),
    )
    number = int(cursor.lastrowid or 0)
    _update(connection, replace(incident, id=number))
    return number


def _update(connection: sqlite3.Connection, incident: Incident) -> None:
    connection.execute(
        "UPDATE incidents SET phase = ?, severity = ?, value = ?, pending_since = ?, fired_at = ?, clearing_since = ?, "
        "resolved_at = ?, acked_by = ?, silenced_until = ?, told = ?, loudest = ?, beginnings = ?, unstable = ?, "
        "held = ?, cause = ?, escalated = ?, followers = ? WHERE id = ?",
        (
            incident.phase,
            incident.severity,
            json.dumps(dict(incident.value)),
            iso(incident.pending_since),
            _text(incident.fired_at),
            _text(incident.clearing_since),
            _text(incident.resolved_at),
            incident.acked_by,
            _text(incident.silenced_until),
            incident.told,
            incident.loudest or "",
            json.dumps([iso(moment) for moment in incident.beginnings]),
            incident.unstable,
            incident.held,
            incident.cause,
            incident.escalated,
            incident.followers,
            incident.id,
        ),
    )


def _incident(row: sqlite3.Row) -> Incident:
    return Incident(
        row["key"],
        row["rule"],
        tuple((name, value) for name, value in json.loads(row["labels"])),
        Phase(row["phase"]),
        Severity(row["severity"]),
        json.loads(row["value"]),
        parse_iso(row["pending_since"]),
        _time(row["fired_at"]),
        _time(row["clearing_since"]),
        _time(row["resolved_at"]),
        row["acked_by"],
        _time(row["silenced_until"]),
        row["told"],
        row["id"],
        Severity(row["loudest"]) if row["loudest"] else None,
        tuple(parse_iso(moment) for moment in json.loads(row["beginnings"])),
        bool(row["unstable"]),
        row["held"],
        row["cause"],
        bool(row["escalated"]),
        row["followers"],
    )


def _text(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _time(text: str | None) -> datetime | None:
    return parse_iso(text) if text else None
