"""Keeps where each project stands on the quota ladder in state.db, so that a restart does not begin again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from agent.quotas import Key, QuotaStep, Standing
from coloc.times import iso, parse_iso


def standings(connection: sqlite3.Connection) -> dict[Key, Standing]:
    """What is remembered, by (project, app, resource); the last use is measured anew, so it is None here."""
    return {
        (row["project"], row["app"], row["resource"]): Standing(
            row["project"],
            row["resource"],
            QuotaStep(row["step"]),
            parse_iso(row["since"]),
            would_have_acted=row["would_have_acted"],
            app=row["app"],
            watched_since=parse_iso(row["watched_since"]),
        )
        for row in connection.execute("SELECT * FROM quota_steps")
    }


def begin(project: str, resource: str, now: datetime, *, app: str = "") -> Standing:
    """Where a project, or an app, stands on a resource that was not watched before."""
    return Standing(project, resource, QuotaStep.FINE, now, app=app, watched_since=now)


def save(connection: sqlite3.Connection, changed: Iterable[Standing]) -> None:
    """Write standings down, with the use that led there as their evidence."""
    connection.executemany(
        "INSERT INTO quota_steps (project, resource, step, since, evidence, would_have_acted, app, watched_since) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project, app, resource) DO UPDATE SET "
        "step = excluded.step, since = excluded.since, evidence = excluded.evidence, "
        "would_have_acted = excluded.would_have_acted",
        [
            (
                item.project,
                item.resource,
                item.step,
                iso(item.since),
                f"used {item.used:g}" if item.used is not None else "",
                item.would_have_acted,
                item.app,
                iso(item.watched_since or item.since),
            )
            for item in changed
        ],
    )


def keep_only(connection: sqlite3.Connection, known: Iterable[Key]) -> None:
    """Forget quotas that are no longer agreed."""
    wanted = set(known)
    gone = [key for key in standings(connection) if key not in wanted]
    connection.executemany("DELETE FROM quota_steps WHERE project = ? AND app = ? AND resource = ?", gone)
