"""Why steps of quotas are given back for a while: YunoHost or a backup is at work. After it they are decided afresh."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from agent import backup_store
from agent.enforcement import EVERYTHING
from coloc.config.whole import Config
from coloc.yunohost_lock import LOCK, yunohost_at_work


def giving_way(
    config: Config,
    connection: sqlite3.Connection,
    now: datetime,
    *,
    lock: Path | None = None,
    proc: Path = Path("/proc"),
) -> Mapping[str, str]:
    """What gives way now, and to what. `lock`: YunoHost's, when it is not that of the root of coloc.yml."""
    found = {}
    if a_backup_is_at_work(connection, timedelta(seconds=config.backup.max_duration), now):
        found[EVERYTHING] = "a backup is at work"
    busy = yunohost_at_work(lock or config.root / LOCK.relative_to("/"), proc)
    if busy:
        found[EVERYTHING] = busy
    return found


def a_backup_is_at_work(connection: sqlite3.Connection, longest: timedelta, now: datetime) -> bool:
    """One began and was not heard to end. One that never said its end is over after the longest that it may take."""
    began, ended = (backup_store.last_run(connection, kind) for kind in ("run_started", "run_finished"))
    return began is not None and (ended is None or ended < began) and timedelta(0) <= now - began < longest
