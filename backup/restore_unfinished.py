"""Restores that are over, or were cut off: found again, taken back, finished, and what they replaced removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from backup.restore_finish import Kept, OnStep, finish, kept_databases, may_finish
from backup.restore_journal import RestoreJournal, journals
from backup.restore_undo import Hands, has_no_way_back, undo
from backup.run_lock import run_lock
from coloc.command import Run, run
from coloc.config.whole import Config
from coloc.databases import mysql, postgresql
from coloc.databases.servers import servers_from
from coloc.errors import ColocError, StateError
from coloc.times import now_utc, parse_iso

_SETTLE_SECONDS = 3.0


def refuse_unfinished(config: Config) -> None:
    """Raises ColocError while a restore was neither ended nor taken back."""
    for journal in journals(config.paths.journal):
        if journal.is_unfinished:
            raise ColocError(
                f"the restore of {journal.app} begun at {journal.began_at} was cut off",
                hint=f"finish it: coloc-agent restore {journal.app} --resume; or take it back: "
                f"coloc-agent restore undo {journal.app}",
            )


def unfinished_restore(config: Config, app: str = "") -> RestoreJournal:
    """The restore that was cut off, of any app when none is named. Raises ColocError when there is none."""
    for journal in journals(config.paths.journal):
        if journal.is_unfinished and app in {"", journal.app}:
            return journal
    raise ColocError(f"no restore{f' of {app!r}' if app else ''} was cut off", hint="there is nothing to finish")


def last_restore(config: Config, app: str = "") -> RestoreJournal:
    """The restore that `undo` would take back: one that was cut off, else the last one. Raises ColocError."""
    ours = [journal for journal in journals(config.paths.journal) if app in {"", journal.app}]
    unfinished = [journal for journal in ours if journal.is_unfinished]
    done = [journal for journal in ours if journal.state == "done"]
    if unfinished or done:
        return (unfinished or done)[-1]
    removed = [journal for journal in ours if journal.state == "removed"]
    why = f"; what the last one replaced was removed at {removed[-1].ended_at}" if removed else ""
    raise ColocError(
        f"no restore{f' of {app!r}' if app else ''} can be taken back{why}",
        hint="for an older state: coloc-agent restore APP --at TIME",
    )


def undo_restore(
    config: Config, journal: RestoreJournal, *, run: Run = run, clock: Callable[[], datetime] = now_utc
) -> None:
    """Bring back what a restore replaced. Raises ColocError."""
    with run_lock(config.paths.journal, f"taking back a restore of {journal.app}", clock()):
        undo(journal, _hands(config, run), clock())


def finish_restore(
    config: Config,
    journal: RestoreJournal,
    *,
    run: Run = run,
    clock: Callable[[], datetime] = now_utc,
    on_step: OnStep = lambda _: None,
    settle_seconds: float = _SETTLE_SECONDS,
) -> Kept | None:
    """End a restore that was cut off. None: all of it is to be done again; it was taken back, if it has a way back.

    Raises ColocError; then the app is as it was before the restore, or the sentence says how to bring that about.
    """
    hands = _hands(config, run)
    if has_no_way_back(journal):
        return None
    with run_lock(config.paths.journal, f"finishing a restore of {journal.app}", clock()):
        if not may_finish(journal):
            undo(journal, hands, clock())
            return None
        try:
            return finish(journal, hands, clock=clock, settle_seconds=settle_seconds, on_step=on_step)
        except (ColocError, OSError) as error:
            undo(journal, hands, clock())
            why = error.sentence() if isinstance(error, ColocError) else str(error)
            raise ColocError(f"{why}; {journal.app} is as it was", hint="take an older one with --at") from error


def cut_off_apps(folder: Path) -> dict[str, str]:
    """App → why it must not be saved now: a restore of it stands half way."""
    found = {}
    for path in sorted((folder / "restores").glob("*.json")):
        try:
            for journal in journals(folder, only=path):
                if journal.is_unfinished:
                    found[journal.app] = f"{journal.app}: its restore begun at {journal.began_at} was cut off"
        except StateError:
            continue  # `coloc-agent restore` says it; the other apps are saved meanwhile
    return found


def over(config: Config, now: datetime) -> Iterator[RestoreJournal]:
    """The restores whose replaced data has been kept long enough (`backup.keep_replaced`)."""
    for journal in journals(config.paths.journal):
        if journal.state == "removing":
            yield journal
        elif journal.state == "done":
            ended = parse_iso(journal.ended_at or journal.began_at)
            if now - ended >= timedelta(seconds=config.backup.keep_replaced):
                yield journal


def remove_replaced(config: Config, journal: RestoreJournal, *, run: Run = run, now: datetime) -> list[str]:
    """Remove what a restore replaced, and say so in the journal: the way back is closed. Raises ColocError."""
    servers = servers_from(config.database_servers.as_data())
    with run_lock(config.paths.journal, f"removing what a restore of {journal.app} replaced", now):
        journal.end("removing", now)  # first: what is half removed is nothing to go back to
        folders = [
            Path(step["to"])
            for step in journal.steps
            if step["kind"] == "move" and Path(step["to"]).name == f".coloc-replaced-{journal.id}"
        ]
        names = kept_databases(journal)
        try:
            for folder in [folder for folder in folders if folder.exists()]:
                shutil.rmtree(folder)
        except OSError as error:
            raise ColocError(f"{error.filename} cannot be removed: {error.strerror}", hint="run it as root") from error
        for step in journal.steps:
            drop = {"mysql": mysql.drop, "postgresql": postgresql.drop}.get(step["kind"])
            if drop and step["swap"]["kept"] in names:
                drop(servers, step["swap"]["kept"], run=run)
        shutil.rmtree(journal.folder, ignore_errors=True)
        journal.end("removed", now)
    return [*map(str, folders), *names]


def _hands(config: Config, run: Run) -> Hands:
    return Hands(servers_from(config.database_servers.as_data()), run)
