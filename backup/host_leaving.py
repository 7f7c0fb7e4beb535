"""What has to be true before a host is dropped: every app that it holds proven is proven on another host too. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from backup import ledger
from backup.journal import Journal


def only_there(host: str, others: Iterable[str], last_proven: Mapping[str, Mapping[str, datetime]]) -> list[str]:
    """The apps that would have no proven backup left without `host`."""
    elsewhere = {app for other in others if other != host for app in last_proven.get(other, {})}
    return sorted(set(last_proven.get(host, {})) - elsewhere)


def not_yet_copied(
    apps: Iterable[str], new: str, since: datetime, last_proven: Mapping[str, Mapping[str, datetime]]
) -> list[str]:
    """The apps that were not proven on the new host since the copy began."""
    proven = last_proven.get(new, {})
    return sorted(app for app in apps if app not in proven or proven[app] < since)


def forget_host(journal: Journal, host: str, now: datetime) -> None:
    """Root remembers nothing more of a host. Raises StateError."""
    ledger.write(journal, ledger.Entry(host, "anew", "", "", {}), now)
    journal.forget_repository(host)
    with journal.transaction() as connection:
        for table in ("contents", "nights", "forgetting"):
            connection.execute(f"DELETE FROM {table} WHERE host = ?", (host,))  # noqa: S608 - our own words
