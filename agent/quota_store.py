"""Keeps where each project stands on the quota ladder in state.db, so that a restart does not begin again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from agent.quotas import QuotaStep, Standing
from coloc.times import iso, parse_iso


def standings(connection: sqlite3.Connection) -> dict[tuple[str, str], Standing]:
    """What is remembered, by (project, resource); the last use is measured anew, so it is None here."""
    return {
        (row["project"], row["resource"]): Standing(
            row["project"],
            row["resource"],
            QuotaStep(row["step"]),
            parse_iso(row["since"]),
            would_have_acted=row["would_have_acted"],
        )
        for row in connection.execute("SELECT * FROM quota_steps")
    }


def begin(project: str, resource: str, now: datetime) -> Standing:
    """Where a project stands on a resource that was not watched before."""
    return Standing(project, resource, QuotaStep.FINE, now)


def save(connection: sqlite3.Connection, changed: Iterable[Standing]) -> None:
    """Write standings down, with the use that led there as their evidence."""
    connection.executemany(
        "INSERT INTO quota_steps VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (project, resource) DO UPDATE SET "
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
            )
            for item in changed
        ],
    )


def keep_only(connection: sqlite3.Connection, known: Iterable[tuple[str, str]]) -> None:
    """Forget quotas that are no longer agreed."""
    wanted = set(known)
    gone = [key for key in standings(connection) if key not in wanted]
    connection.executemany("DELETE FROM quota_steps WHERE project = ? AND resource = ?", gone)
