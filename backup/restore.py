"""Brings an app back: beside its place, compared, then exchanged; whatever fails, the app is as it was.

Rules. 1. Nothing is touched before everything is extracted, compared and loaded. 2. Every step is in the journal before
it is taken. 3. Units that ran are stopped for the exchange only, and must run again afterwards. 4. Any failure, also of
a unit, takes every step back. 5. What was replaced is kept for some days, or until `undo`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from backup.names import new_run
from backup.restore_databases import Loader
from backup.restore_domain import rewrite
from backup.restore_files import same, verify
from backup.restore_finish import finish
from backup.restore_journal import RestoreJournal, new_journal
from backup.restore_plan import refuse_when_full
from backup.restore_prepare import Place, Prepared
from backup.restore_undo import Hands, undo
from backup.restore_unfinished import refuse_unfinished
from backup.restore_units import running
from backup.run_lock import run_lock
from backup.staging import Staging
from coloc import services
from coloc.command import Run, run
from coloc.config.whole import Config
from coloc.databases.servers import servers_from
from coloc.errors import ColocError, StateError
from coloc.facts import Spool
from coloc.model import App
from coloc.times import now_utc

logger = logging.getLogger(__name__)
OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it. kept: folders with what was replaced; databases: names of the kept ones."""

    id: str
    seconds: float
    kept: tuple[str, ...]
    databases: tuple[str, ...]
    settings: tuple[str, ...]
    stripped: int = 0
    units: tuple[str, ...] = ()  # that ran, and run again
    problem: str = ""  # it is done, but this could not be written down


@dataclass(frozen=True, slots=True)
class Restoring:
    """One restore at work. settle_seconds: how long units must stay up before they count as healthy."""

    config: Config
    app: App | None
    prepared: Prepared
    spool: Spool
    on_step: OnStep = lambda _: None
    clock: Callable[[], datetime] = now_utc
    run: Run = run
    settle_seconds: float = 3.0

    def go(self) -> Restored:
        """Do it. Raises ColocError; then the app is as it was (or the sentence says how to bring that about)."""
        plan = self.prepared.plan
        refuse_when_full(plan.spaces)
        began = time.monotonic()
        with run_lock(self.config.paths.journal, f"restore of {plan.wish.app}", self.clock()):
            refuse_unfinished(self.config)
            chosen = plan.candidate
            journal = new_journal(
                self.config.paths.journal,
                new_run(self.clock()),
                app=plan.wish.app,
                host=chosen.host,
                run=chosen.set.run,
                now=self.clock(),
            )
            journal.only, journal.wanted, journal.domain = str(plan.wish.only), plan.wish.path, plan.wish.domain
            journal.begin()
            try:
                restored = self._restore(journal)
            except BaseException as error:
                self._take_back(journal, error, began)
                raise
        problem = self._fact(True, began)
        return replace(restored, seconds=time.monotonic() - began, problem=problem)

    def _restore(self, journal: RestoreJournal) -> Restored:
        plan, repository = self.prepared.plan, self.prepared.repository
        hands = Hands(servers_from(self.config.database_servers.as_data()), self.run)
        loader = Loader(journal, repository, hands, plan.manifest, self.config.root)
        staging = Staging(journal)
        try:
            stripped = self.extract(staging, self.prepared.places)
            self._to_domain(staging)
            for database in plan.databases:
                self.on_step(f"{database.kind} {database.name}")
                loader.prepare(database, staging, self.prepared.places)
            units = running(plan.units, run=self.run)
            settings = self.changed(staging)
            journal.units = list(units)
            reload = any("etc/systemd/" in place.target.path for place in settings)
            journal.step("units", units=list(units), reload=reload)
            self.on_step("stop")
            services.stop(units, run=self.run)
            places = [place for place in self.prepared.places if not place.target.is_setting] + settings
            self.on_step("exchange")
            loader.keep_live_files(staging, places)
            for place in places:
                staging.exchange(staging.of(place), place.path)
            loader.exchange(staging)
            kept = finish(journal, hands, clock=self.clock, settle_seconds=self.settle_seconds, on_step=self.on_step)
        except OSError as error:
            raise StateError(
                f"{error.filename or 'a file'} could not be handled: {error.strerror or error}",
                hint="is a disk full? run it as root",
            ) from error
        names = tuple(place.target.path for place in settings)
        return Restored(journal.id, 0.0, kept.folders, kept.databases, names, stripped, tuple(units))

    def extract(self, staging: Staging, places: Sequence[Place]) -> int:
        """Bring places beside where they belong and compare them; how many files are not setuid any more."""
        plan, repository, stripped = self.prepared.plan, self.prepared.repository, 0
        numeric = self.config.root != Path("/")  # the names of another root are not those of this machine
        for beside, near in staging.by_folder(places):
            members = [place.target.member for place in near]
            self.on_step(f"extract {', '.join(f'/{place.target.path}' for place in near[:3])}")
            stage = staging.make(beside)
            repository.extract(plan.files_archive, stage, paths=members, numeric_ids=numeric)
            self.on_step("compare")
            stripped += verify(repository.items(plan.files_archive), stage, members)
        return stripped

    def _to_domain(self, staging: Staging) -> None:
        plan = self.prepared.plan
        for place in self.prepared.places if plan.old_domain else ():
            if place.target.is_setting:
                rewrite(staging.of(place), plan.old_domain, plan.wish.domain)

    def changed(self, staging: Staging) -> list[Place]:
        """The settings that differ from what is there."""
        settings = [place for place in self.prepared.places if place.target.is_setting]
        return [place for place in settings if not same(staging.of(place), place.path)]

    def _take_back(self, journal: RestoreJournal, error: BaseException, began: float) -> None:
        self.on_step("undo")
        hands = Hands(servers_from(self.config.database_servers.as_data()), self.run)
        try:
            undo(journal, hands, self.clock())
        except StateError as failed:
            self._fact(False, began)
            raise StateError(f"{error}; then {failed}", hint=failed.hint) from error
        self._fact(False, began)
        if isinstance(error, ColocError):
            raise ColocError(f"{error}; {journal.app} is as it was", hint=error.hint) from error

    def _fact(self, ok: bool, began: float) -> str:
        """Report it; "" or why that was not possible: what was done is done all the same."""
        plan = self.prepared.plan
        try:
            self.spool.write(
                "restore",
                self.clock(),
                ok=ok,
                app=plan.wish.app,
                host=plan.candidate.host,
                archive=plan.files_archive,
                seconds=round(time.monotonic() - began, 3),
            )
        except StateError as error:
            logger.error("a fact was lost", extra={"kind": "restore", "why": str(error)})
            return str(error)
        return ""
