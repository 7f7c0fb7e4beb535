"""Since when apps that have backups are no longer on the server: what they left stays `left_after` from then on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backup.journal import Journal
from backup.names import LIKE_APPS
from coloc.times import iso, parse_iso


def left_since(journal: Journal) -> dict[str, datetime]:
    """Each app that is gone, and since when that is known."""
    return {app: parse_iso(since) for app, since in journal.ask("SELECT app, since FROM left_apps")}


def notice_left(journal: Journal, here: Iterable[str], now: datetime) -> None:
    """Remember which apps with proven backups are not `here`; one that came back never left. Raises StateError."""
    present = frozenset(here) | LIKE_APPS
    with journal.transaction() as connection:
        known = {row[0] for row in connection.execute("SELECT DISTINCT app FROM proven")}
        left = {row[0] for row in connection.execute("SELECT app FROM left_apps")}
        connection.executemany(
            "INSERT INTO left_apps VALUES (?, ?)", [(app, iso(now)) for app in sorted(known - present - left)]
        )
        connection.executemany("DELETE FROM left_apps WHERE app = ?", [(app,) for app in sorted(left & present)])
