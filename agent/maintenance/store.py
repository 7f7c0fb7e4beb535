"""Maintenances in state.db, and where each was told: at those places every later word edits the same message."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import Any

from agent.maintenance.plan import Maintenance, Phase
from coloc.times import iso, parse_iso


def open_ones(connection: sqlite3.Connection) -> list[Maintenance]:
    """Those that are not over, in the order in which they were declared."""
    return [_one(row) for row in connection.execute("SELECT * FROM maintenances WHERE ended_at IS NULL ORDER BY id")]


def latest(connection: sqlite3.Connection, limit: int) -> list[Maintenance]:
    """Open ones first, then the newest."""
    rows = connection.execute(
        "SELECT * FROM maintenances ORDER BY ended_at IS NOT NULL, id * iif(ended_at IS NULL, 1, -1) LIMIT ?", (limit,)
    )
    return [_one(row) for row in rows]


def get(connection: sqlite3.Connection, number: int) -> Maintenance | None:
    """One by its number."""
    row = connection.execute("SELECT * FROM maintenances WHERE id = ?", (number,)).fetchone()
    return None if row is None else _one(row)


def save(connection: sqlite3.Connection, one: Maintenance) -> int:
    """Remember one as it stands, inside the caller's transaction; returns its number."""
    values: dict[str, Any] = {
        "title": one.title,
        "by": one.by,
        "app": one.app,
        "project": one.project,
        "declared_at": iso(one.declared_at),
        "begins_at": iso(one.begins_at),
        "ends_at": iso(one.ends_at),
        "phase": str(one.phase),
        "started_at": _text(one.started_at),
        "ended_at": _text(one.ended_at),
        "reminded": int(one.reminded),
        "overrun": int(one.overrun),
        "broken": json.dumps(list(one.broken)),
        "told": one.told,
    }
    if one.id:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        connection.execute(f"UPDATE maintenances SET {columns} WHERE id = :id", values | {"id": one.id})  # noqa: S608 - our names
        return one.id
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    return int(connection.execute(f"INSERT INTO maintenances ({names}) VALUES ({marks})", values).lastrowid or 0)  # noqa: S608


def places(connection: sqlite3.Connection, number: int) -> list[tuple[str, str, str]]:
    """(channel, target, key of the message) of everywhere it was told."""
    rows = connection.execute(
        "SELECT channel, target, about FROM maintenance_told WHERE maintenance = ? ORDER BY rowid", (number,)
    )
    return [(row["channel"], row["target"], row["about"]) for row in rows]


def remember_place(connection: sqlite3.Connection, number: int, channel: str, target: str, about: str) -> None:
    """From now on this message is edited."""
    connection.execute("INSERT OR IGNORE INTO maintenance_told VALUES (?, ?, ?, ?)", (number, channel, target, about))


def _one(row: sqlite3.Row) -> Maintenance:
    return Maintenance(
        title=row["title"],
        by=row["by"],
        declared_at=parse_iso(row["declared_at"]),
        begins_at=parse_iso(row["begins_at"]),
        ends_at=parse_iso(row["ends_at"]),
        app=row["app"],
        project=row["project"],
        phase=Phase(row["phase"]),
        started_at=_time(row["started_at"]),
        ended_at=_time(row["ended_at"]),
        reminded=bool(row["reminded"]),
        overrun=bool(row["overrun"]),
        broken=tuple(json.loads(row["broken"])),
        told=row["told"],
        id=row["id"],
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_iso(text)
