"""Why steps of quotas are given back for a while: YunoHost, a backup or a person is at work."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from agent import backup_store
from agent.enforcement import EVERYTHING
from agent.maintenance import store as maintenance_store
from agent.maintenance.plan import Phase
from coloc.config.whole import Config
from coloc.model import Colocation
from coloc.yunohost_lock import LOCK, yunohost_at_work


def giving_way(
    config: Config,
    connection: sqlite3.Connection,
    now: datetime,
    *,
    colocation: Colocation | None = None,
    lock: Path | None = None,
    proc: Path = Path("/proc"),
) -> Mapping[str, str]:
    """What gives way now, and to what. `lock`: YunoHost's, when it is not that of the root of coloc.yml."""
    found = _maintenances(connection, colocation)
    if a_backup_is_at_work(connection, timedelta(seconds=config.backup.max_duration), now):
        found[EVERYTHING] = "a backup is at work"
    busy = yunohost_at_work(lock or config.root / LOCK.relative_to("/"), proc)
    if busy:
        found[EVERYTHING] = busy
    return found


def _maintenances(connection: sqlite3.Connection, colocation: Colocation | None) -> dict[str, str]:
    """Of an app that is worked on, also the steps of the projects that bear it: they would hold its processes."""
    found: dict[str, str] = {}
    for one in maintenance_store.open_ones(connection):
        if one.phase is not Phase.RUNNING:
            continue
        whose = [f"project {one.project}"] if one.project else [] if one.app else [EVERYTHING]
        if one.app:
            shares = colocation.shares.get(one.app, {}) if colocation else {}
            whose = [f"app {one.app}", *(f"project {name}" for name in shares)]
        found |= dict.fromkeys(whose, f"the maintenance M{one.id} goes on")
    return found


def a_backup_is_at_work(connection: sqlite3.Connection, longest: timedelta, now: datetime) -> bool:
    """One began and was not heard to end. One that never said its end is over after the longest that it may take."""
    began, ended = (backup_store.last_run(connection, kind) for kind in ("run_started", "run_finished"))
    return began is not None and (ended is None or ended < began) and timedelta(0) <= now - began < longest
