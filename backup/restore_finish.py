"""The end of a restore, read from its journal alone: start, look whether it stays up, tidy, name what was replaced.

Everything new stands in its place already. So this may be done by who did the rest, or after a crash by the next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from backup import swap_mysql, swap_postgresql
from backup.exchange import rename
from backup.restore_journal import RestoreJournal
from backup.restore_undo import Hands
from backup.restore_units import start_and_watch
from coloc.databases import mysql

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was replaced: folders beside their places, and databases by the names that they have now."""

    folders: tuple[str, ...]
    databases: tuple[str, ...]


def may_finish(journal: RestoreJournal) -> bool:
    """True when a restore that was cut off had exchanged everything: only its end is missing."""
    return journal.state == "running" and any(step["kind"] == "starting" for step in journal.steps)


def finish(
    journal: RestoreJournal,
    hands: Hands,
    *,
    clock: Callable[[], datetime],
    settle_seconds: float,
    on_step: OnStep = lambda _: None,
) -> Kept:
    """Start the units, and when they stay up, tidy and say "done". Safe to repeat. Raises ColocError or OSError."""
    nothing: dict[str, Any] = {"units": [], "reload": False}
    units = next((step for step in journal.steps if step["kind"] == "units"), nothing)
    if not may_finish(journal):
        journal.step("starting", units=units["units"])
    on_step("start")
    if units["reload"]:
        hands.run(["systemctl", "daemon-reload"], timeout=120)
    start_and_watch(units["units"], settle_seconds=settle_seconds, run=hands.run)
    _drop_scratch(journal, hands)
    kept = Kept(_name_replaced(journal), kept_databases(journal))
    shutil.rmtree(journal.folder / "dumps", ignore_errors=True)
    journal.end("done", clock())
    return kept


def kept_databases(journal: RestoreJournal) -> tuple[str, ...]:
    """The names of the databases of servers that hold what was replaced."""
    mysql_swaps = [swap_mysql.MysqlSwap(**step["swap"]) for step in journal.steps if step["kind"] == "mysql"]
    others = [swap_postgresql.PostgresqlSwap(**step["swap"]) for step in journal.steps if step["kind"] == "postgresql"]
    return (*(each.kept for each in mysql_swaps if each.existed), *(each.kept for each in others if each.existed))


def _drop_scratch(journal: RestoreJournal, hands: Hands) -> None:
    """What is left of the scratch databases after an exchange: views without tables."""
    for step in journal.steps:
        if step["kind"] == "mysql":
            swap = swap_mysql.MysqlSwap(**step["swap"])
            mysql.drop(hands.servers, swap.scratch, run=hands.run)
            if not swap.existed:
                mysql.drop(hands.servers, swap.kept, run=hands.run)


def _name_replaced(journal: RestoreJournal) -> tuple[str, ...]:
    """Name the staging folders after what is in them now: what was replaced. Those with nothing in them go."""
    exchanged = [Path(step["new"]) for step in journal.steps if step["kind"] == "exchange"]
    kept = []
    for stage in [Path(step["folder"]) for step in journal.steps if step["kind"] == "stage"]:
        replaced = stage.with_name(f".coloc-replaced-{journal.id}")
        if not stage.exists():
            kept += [str(replaced)] if replaced.exists() else []
        elif any(new.is_relative_to(stage) and os.path.lexists(new) for new in exchanged):
            journal.step("move", **{"from": str(stage), "to": str(replaced)})
            rename(stage, replaced)
            kept.append(str(replaced))
        else:
            shutil.rmtree(stage)
    return tuple(kept)
