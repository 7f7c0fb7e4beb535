"""Keeps in state.db the last word on each host's room, on backups that shrank and on the escrow, as root reported."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coloc.facts import Fact
from coloc.times import iso

_ROOMS, _SIZES, _ESCROW = "host_rooms", "backup_sizes", "escrow"


@dataclass(frozen=True, slots=True)
class Room:
    """What is left on a host; None where nobody can know it from here."""

    free_bytes: int | None
    used_bytes: int | None
    quota_bytes: int | None

    @property
    def used_ratio(self) -> float | None:
        """What we use of what we may."""
        return None if self.used_bytes is None or not self.quota_bytes else self.used_bytes / self.quota_bytes


@dataclass(frozen=True, slots=True)
class Escrow:
    """Whether what opens the backups is in other hands, and why not."""

    ok: bool
    why: str


def take(connection: sqlite3.Connection, fact: Fact, latest: str) -> None:
    """Remember a fact of ours; others are none of our business. `latest`: what is remembered beyond it was wrong."""
    app, host = fact.values.get("app"), fact.values.get("host")
    if fact.kind == "host" and isinstance(host, str) and fact.values.get("reachable") is True:
        before = _known(connection, _ROOMS, latest).get(host, {})
        room = {name: _size(fact, name) for name in ("free_bytes", "used_bytes", "quota_bytes")}
        if room["used_bytes"] is None:  # a run that saved nothing does not know it
            room["used_bytes"] = before.get("used_bytes")
        _put(connection, _ROOMS, host, {**room, "at": iso(fact.at)}, latest)
    elif fact.kind == "backup" and isinstance(host, str) and isinstance(app, str) and fact.values.get("ok") is True:
        sizes = {"bytes": _size(fact, "bytes"), "before": _size(fact, "before_bytes")}
        _put(connection, _SIZES, f"{app} {host}", {**sizes, "at": iso(fact.at)}, latest)
    elif fact.kind == "forgotten" and isinstance(host, str) and isinstance(app, str):
        known = _known(connection, _SIZES, latest)
        known.pop(f"{app} {host}", None)
        _write(connection, _SIZES, known)
    elif fact.kind == "escrow":
        why = str(fact.values.get("why", ""))[:500]
        _put(connection, _ESCROW, "", {"ok": fact.values.get("ok") is True, "why": why, "at": iso(fact.at)}, latest)


def rooms(connection: sqlite3.Connection) -> dict[str, Room]:
    """The last word on each host."""
    known = _known(connection, _ROOMS)
    return {host: Room(row["free_bytes"], row["used_bytes"], row["quota_bytes"]) for host, row in known.items()}


def size_ratios(connection: sqlite3.Connection) -> dict[tuple[str, str], float]:
    """(app, host) → how large the last backup was, as a share of the largest of the three before."""
    found = {}
    for key, row in _known(connection, _SIZES).items():
        app, _, host = key.rpartition(" ")
        if row["before"] and row["bytes"] is not None:
            found[app, host] = row["bytes"] / row["before"]
    return found


def escrow(connection: sqlite3.Connection) -> Escrow | None:
    """The last word on the escrow; None before the first night."""
    row = _known(connection, _ESCROW).get("")
    return Escrow(row["ok"] is True, str(row["why"])) if row else None


def _put(connection: sqlite3.Connection, key: str, name: str, row: Mapping[str, Any], latest: str) -> None:
    known = _known(connection, key, latest)
    if name not in known or known[name]["at"] <= row["at"]:
        known[name] = dict(row)
        _write(connection, key, known)


def _write(connection: sqlite3.Connection, key: str, known: Mapping[str, object]) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(known)))


def _known(connection: sqlite3.Connection, key: str, latest: str = "9") -> dict[str, dict[str, Any]]:
    """Rows without those of a clock that was ahead."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    known = json.loads(row[0]) if row else {}
    return {name: entry for name, entry in known.items() if entry["at"] <= latest}


def _size(fact: Fact, name: str) -> int | None:
    value = fact.values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
