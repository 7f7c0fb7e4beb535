"""Since when a good backup of each app is awaited at each host: what the rule and the metric both go by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.backup_store import BackupStanding
from backup.names import SYSTEM
from coloc.config.whole import Config
from coloc.model import AppState, Colocation

CLOCK_ERROR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Awaited:
    """An app at a host: its last good backup, and since when the next is awaited (None: nobody knows yet)."""

    app: str
    host: str
    last: datetime | None
    since: datetime | None


def awaited(
    config: Config,
    colocation: Colocation,
    backups: Iterable[BackupStanding],
    first_seen: Mapping[str, datetime],
    now: datetime,
) -> Iterator[Awaited]:
    """Every app that is to be backed up, at every host. A new app counts from when it was first seen."""
    if not config.reaches("backup"):
        return
    known = {(standing.app, standing.host): standing for standing in backups}
    apps = {
        app_id
        for app_id, app in colocation.inventory.apps.items()
        if app.state is AppState.OK and (app.folders or app.databases)
    }
    saved = {app_id for app_id, _ in known if app_id == SYSTEM}  # YunoHost's own parts, where there are any
    for app_id in sorted(apps | saved):
        for host in sorted(config.backup.hosts):
            if not config.saves(colocation.project_of(app_id), host):
                continue
            standing = known.get((app_id, host))
            last = standing.last_success_at if standing else None
            if last is not None and last > now + CLOCK_ERROR:
                last = None  # written by a clock that was far ahead: it would keep us quiet until then
            since = last or first_seen.get(app_id)
            yield Awaited(app_id, host, last, None if since is None else min(since, now))
