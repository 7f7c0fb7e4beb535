"""What must be explained by a person before anything is removed on a host: it shows what our book does not say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backup import ledger
from backup.borg_errors import BorgError
from backup.borg_output import Archive
from backup.journal import Journal
from backup.names import checkpoint_of, parse_archive_name, run_time
from coloc.config.whole import Config


class Surprise(BorgError):
    """The host and our book do not agree: it was tampered with, or this server was put back to an older day."""


def refuse_surprises(config: Config, journal: Journal, host: str, found: Sequence[Archive], now: datetime) -> None:
    """Raises Surprise, or StateError for a book that was changed. At the first contact what is there is taken as known.

    An append-only host is never taken as known by itself: there the book is what its owner relies on.
    """
    entries = ledger.read(journal, host)
    if not ledger.since_anew(entries) and not config.backup.hosts[host].append_only:
        ledger.write_all(journal, ledger.adopted(config.coloc.name, host, found), now)
        return
    seen = ledger.compare(config.coloc.name, entries, found)
    if seen.unknown:
        raise Surprise(
            f"{host}: {_told(seen.unknown)} there, and our book does not know it: was this server put back to an older"
            " day, or does somebody else write there?",
            hint=f"nothing is removed there; when you know why: coloc-agent adopt --host {host}",
        )
    if seen.lost:
        raise Surprise(
            f"{host}: {_told(seen.lost)} gone, and not by us",
            hint="nothing more is removed there; who else can delete? after an attack: "
            f"coloc-agent host rollback {host}; if it is known: coloc-agent adopt --host {host}",
        )


def _told(names: Sequence[str]) -> str:
    """How many, and which is the newest."""
    runs = {owner.run: owner.app for name in names if (owner := parse_archive_name(name) or checkpoint_of(name))}
    newest = max(runs, key=run_time)
    return f"{len(names)} archive(s), the newest {runs[newest]} of {run_time(newest):%Y-%m-%d %H:%M} UTC, are"
