"""Since when a whole drill of each app is awaited at each host: what the rule and the metric both go by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from agent.awaited import CLOCK_ERROR, Awaited, awaited
from agent.backup_store import BackupStanding
from agent.drill_store import DrillStanding
from coloc.config.whole import Config
from coloc.model import Colocation


def drills_awaited(
    config: Config,
    colocation: Colocation,
    backups: Iterable[BackupStanding],
    drills: Iterable[DrillStanding],
    *,
    first_seen: Mapping[str, datetime],
    now: datetime,
) -> Iterator[Awaited]:
    """Every pair that has a good backup. What was never proven whole counts from when the app was first seen."""
    if config.backup.drill.off:
        return
    whole = {(drill.app, drill.host): drill.whole_at for drill in drills}
    for one in awaited(config, colocation, backups, first_seen, now):
        if one.last is None:
            continue  # that there is no backup is told by another rule
        last = whole.get((one.app, one.host))
        last = None if last is not None and last > now + CLOCK_ERROR else last
        since = last or first_seen.get(one.app)
        yield replace(one, last=last, since=None if since is None else min(since, now))
