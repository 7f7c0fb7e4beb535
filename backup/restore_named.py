"""`restore --database NAME`: one database of an archive into a new one beside the others; the app is not touched.

The new one is in the journal before it is made: when that is cut off, `coloc-agent restore undo` removes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from backup.manifest import SavedDatabase
from backup.names import new_run
from backup.restore_databases import compare, fetch
from backup.restore_journal import RestoreJournal, new_journal
from backup.restore_plan import SYSTEM_DATABASES, RestorePlan, refuse_when_full
from backup.restore_prepare import Prepared
from backup.restore_undo import Hands, undo
from backup.restore_unfinished import refuse_unfinished
from backup.run_lock import run_lock
from backup.swap_postgresql import PostgresqlSwap, create_scratch
from coloc.command import Run, run
from coloc.config.whole import Config
from coloc.databases import mysql, postgresql
from coloc.databases.servers import servers_from
from coloc.errors import ColocError
from coloc.model import DatabaseKind
from coloc.times import now_utc

_LOAD_SECONDS = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Named:
    """Which database of the archive, and what the new one is called."""

    saved: SavedDatabase
    name: str


def named(plan: RestorePlan, wanted: str) -> Named:
    """`NEW`; where an app has several, `OLD=NEW` or `KIND:OLD=NEW`. Raises ColocError."""
    old, equals, new = wanted.partition("=")
    new, old = (new, old) if equals else (old, "")
    servers = [each for each in plan.databases if each.kind is not DatabaseKind.SQLITE]
    found = [each for each in servers if old in {"", each.name, f"{each.kind}:{each.name}"}]
    if len(found) != 1:
        names = ", ".join(f"{each.kind}:{each.name}" for each in servers) or "none"
        raise ColocError(
            f"{plan.wish.app} has {len(found)} such databases in this archive",
            hint=f"write --database OLD=NEW; its databases are: {names} (SQLite files: use --to)",
        )
    kind = found[0].kind
    (mysql.identifier if kind is DatabaseKind.MYSQL else postgresql.identifier)(new)
    if new.lower() in SYSTEM_DATABASES:
        raise ColocError(f"{new} is a database of the server itself", hint="choose another name")
    return Named(found[0], new)


def restore_named(
    config: Config,
    prepared: Prepared,
    wanted: Named,
    *,
    on_step: Callable[[str], None] = lambda _: None,
    run: Run = run,
    clock: Callable[[], datetime] = now_utc,
) -> None:
    """Make it, load it, count its rows. Raises ColocError; then there is no such database."""
    plan = prepared.plan
    refuse_when_full(plan.spaces)
    hands = Hands(servers_from(config.database_servers.as_data()), run)
    with run_lock(config.paths.journal, f"restore of {plan.wish.app}", clock()):
        refuse_unfinished(config)
        _refuse_existing(hands, wanted)
        journal = new_journal(
            config.paths.journal,
            new_run(clock()),
            app=plan.wish.app,
            host=plan.candidate.host,
            run=plan.candidate.set.run,
            now=clock(),
        )
        journal.state = "copying"
        journal.begin()
        try:
            _load(journal, prepared, wanted, hands, on_step)
        except BaseException:
            undo(journal, hands, clock())
            raise
        shutil.rmtree(journal.folder, ignore_errors=True)
        journal.end("copied", clock())


def _refuse_existing(hands: Hands, wanted: Named) -> None:
    exists = mysql.exists if wanted.saved.kind is DatabaseKind.MYSQL else postgresql.exists
    if exists(hands.servers, wanted.name, run=hands.run):
        raise ColocError(f"there is a database {wanted.name} already", hint="nothing is replaced: choose another name")


def _load(
    journal: RestoreJournal, prepared: Prepared, wanted: Named, hands: Hands, on_step: Callable[[str], None]
) -> None:
    saved, name, manifest = wanted.saved, wanted.name, prepared.plan.manifest
    on_step(f"{saved.kind} {saved.name} → {name}")
    dump = journal.folder / "dump.sql"
    fetch(prepared.repository, saved, dump)
    journal.step("scratch", database=str(saved.kind), name=name)
    if saved.kind is DatabaseKind.MYSQL:
        mysql.create(hands.servers, name, like=saved.name, run=hands.run)
        mysql.load(hands.servers, name, dump, timeout=_LOAD_SECONDS, run=hands.run)
        compare(saved, mysql.row_counts(hands.servers, name, saved.tables, run=hands.run))
        return
    swap = PostgresqlSwap(name, name, "", existed=False)
    create_scratch(swap, hands.servers, owner=manifest.user or saved.name, run=hands.run)
    postgresql.load(hands.servers, name, dump, timeout=_LOAD_SECONDS, run=hands.run)
    counted = postgresql.row_counts(hands.servers, name, run=hands.run)
    compare(saved, {table: counted.get(table, -1) for table in saved.tables})
