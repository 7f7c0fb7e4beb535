"""Takes the steps of a restore back, the last first. Each looks at what is really there: repeating is harmless."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backup import swap_mysql, swap_postgresql, swap_redis
from backup.exchange import Exchange, held, identity_of, rename
from backup.restore_journal import RestoreJournal
from backup.restore_kept import require_kept
from coloc import services
from coloc.command import Run, run
from coloc.databases import mysql, postgresql, sqlite
from coloc.databases.servers import Servers
from coloc.errors import ColocError, StateError
from coloc.model import DatabaseKind

NO_WAY_BACK = "in_place"  # the kind of step after which files are written over


@dataclass(frozen=True, slots=True)
class Hands:
    """What taking back needs of the world."""

    servers: Servers
    run: Run = run


def undo(journal: RestoreJournal, hands: Hands, now: datetime) -> None:
    """Bring back what was, and say so in the journal. Raises ColocError; then it can be tried again.

    A restore that was done is first looked at: without what it replaced nothing is touched.
    """
    if has_no_way_back(journal):
        raise ColocError(
            f"the restore {journal.id} of {journal.app} was made in place: there is no way back",
            hint=f"cut off? coloc-agent restore {journal.app} --resume; else take another archive with --at",
        )
    if journal.state == "done":
        require_kept(journal, hands.servers, run=hands.run)
    if journal.state != "undoing":
        journal.state = "undoing"  # cut off in the middle, this is to be ended before anything else, and never resumed
        journal.write()
    for step in reversed(journal.steps):
        try:
            _UNDO[step["kind"]](step, hands)
        except (ColocError, OSError) as error:
            why = error.sentence() if isinstance(error, ColocError) else str(error)
            raise StateError(
                f"restore {journal.id} of {journal.app} could not be taken back: {why}",
                hint=f"mend that, then: coloc-agent restore undo {journal.app}",
            ) from error
    shutil.rmtree(journal.folder, ignore_errors=True)
    journal.end("undone", now)


def has_no_way_back(journal: RestoreJournal) -> bool:
    """True once files were written over: such a restore only goes on."""
    return any(step["kind"] == NO_WAY_BACK for step in journal.steps)


def exchange_of(step: Mapping[str, Any]) -> Exchange:
    """The exchange that a step speaks of."""
    device, inode = step["identity"]
    return Exchange(Path(step["new"]), Path(step["target"]), (int(device), int(inode)))


def move(source: Path, target: Path) -> None:
    """Rename when there is something to rename, and never over something."""
    if source.exists() and not target.exists():
        rename(source, target)


def _stage(step: Mapping[str, Any], _: Hands) -> None:
    folder = Path(step["folder"])
    if folder.is_dir():
        shutil.rmtree(folder)


def _move(step: Mapping[str, Any], _: Hands) -> None:
    move(Path(step["to"]), Path(step["from"]))


def _units(step: Mapping[str, Any], hands: Hands) -> None:
    if step["reload"]:
        hands.run(["systemctl", "daemon-reload"], timeout=120)
    services.start(step["units"], run=hands.run)


def _stop_again(step: Mapping[str, Any], hands: Hands) -> None:
    services.stop(step["units"], run=hands.run)


def _mysql(step: Mapping[str, Any], hands: Hands) -> None:
    swap_mysql.undo(swap_mysql.MysqlSwap(**step["swap"]), hands.servers, run=hands.run)


def _postgresql(step: Mapping[str, Any], hands: Hands) -> None:
    swap_postgresql.undo(swap_postgresql.PostgresqlSwap(**step["swap"]), hands.servers, run=hands.run)


def _redis(step: Mapping[str, Any], hands: Hands) -> None:
    swap_redis.undo(swap_redis.RedisSwap(**step["swap"]), hands.servers)


def _exchange(step: Mapping[str, Any], _: Hands) -> None:
    exchange = exchange_of(step)
    if step.get("existed") and identity_of(exchange.target) == exchange.identity and not exchange.has_replaced:
        raise ColocError(
            f"{exchange.new}, which was replaced, is gone", hint=f"{exchange.target} stays as it was restored"
        )
    if step["sqlite"] and identity_of(exchange.target) == exchange.identity:
        with held(exchange.target.parent) as folder:
            for suffix in sqlite.BESIDE:  # they belong to what was restored, and would damage what comes back
                with suppress(FileNotFoundError):
                    os.unlink(exchange.target.name + suffix, dir_fd=folder)
    exchange.undo()
    if identity_of(exchange.new) not in {None, exchange.identity}:
        # Somebody put something else in its place since: what was kept is not thrown away for that.
        raise ColocError(
            f"{exchange.target} is not what was restored any more, so it stays",
            hint=f"what it replaced is in {exchange.new}: move it by hand",
        )


def _scratch(step: Mapping[str, Any], hands: Hands) -> None:
    if step["database"] == DatabaseKind.MYSQL:
        mysql.drop(hands.servers, step["name"], run=hands.run)
    else:
        postgresql.drop(hands.servers, step["name"], run=hands.run)


_UNDO: Mapping[str, Callable[[Mapping[str, Any], Hands], None]] = {
    "stage": _stage,  # a private folder beside a target
    "scratch": _scratch,  # a database beside the live one
    "mysql": _mysql,  # the exchange of databases
    "postgresql": _postgresql,
    "redis": _redis,
    "units": _units,  # stopped; taken back by starting them
    "exchange": _exchange,  # a file or folder
    "move": _move,
    "starting": _stop_again,  # about to be started
}
