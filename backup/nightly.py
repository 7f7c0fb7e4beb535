"""A run: every app to every host, hosts in parallel, each proven; a dead host or app stops nobody. Then retention.

Stopping (`stop`, or the time being over) ends Borg so that it keeps what was sent; the next run goes on from there.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from backup import ledger
from backup.app_run import AppRun, AppSet
from backup.borg import Repository
from backup.borg_errors import HostDown, RepositoryLocked, RepositoryMissing, Stopped
from backup.borg_output import Listing
from backup.copied import refuse_copy
from backup.drills import clear_killed
from backup.hooks import Hooks, undo_left
from backup.host_apps import in_one_order, in_order
from backup.host_time import HostTime, waits, window_ends
from backup.hosts import free_bytes, hosts_named, open_known, open_repository
from backup.housekeeping import Housekeeping
from backup.journal import Journal
from backup.leftovers import clear_leftovers
from backup.names import OWN, checkpoint_of, new_run
from backup.night import AppResult, HostResult, NightResult, OnProgress, Recorder, Step, nearly_full
from backup.own_config import plan_own
from backup.pause import rest
from backup.plan import AppPlan, BackupPlan, without
from backup.restore_unfinished import cut_off_apps
from backup.run_lock import run_lock
from backup.yunohost_apps import gathering_of, laid_out_by_yunohost, plan_with_system
from backup.yunohost_night import Gathering
from coloc.command import Run, cancelled_by
from coloc.config.whole import Config
from coloc.databases.servers import servers_from
from coloc.errors import ColocError, StateError
from coloc.facts import Spool
from coloc.model import Colocation
from coloc.times import now_utc

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def _nothing(step: Step) -> None:
    """Show nothing."""


def run_night(
    config: Config,
    colocation: Colocation,
    *,
    apps: Sequence[str] = (),
    hosts: Sequence[str] = (),
    spool: Spool,
    journal: Journal,
    clock: Clock = now_utc,
    stop: threading.Event | None = None,
    run: Run | None = None,
    on_progress: OnProgress = _nothing,
    lock_wait: int = 300,
    dry_run: bool = False,
    nightly: bool = False,
    own: Path | None = None,
) -> NightResult:
    """Back up, prove, prune, and write down each fact. Raises ColocError only for what concerns the whole run.

    nightly: this is the night of these hosts, though not of all: it is pruned and remembered like a whole run.
    own: coloc.yml, saved with the files that it names after all apps, for the day when this server is gone.
    """
    names = hosts_named(config, hosts)
    plan = without(plan_with_system(config, colocation, apps), cut_off_apps(config.paths.journal))
    if own and not apps:
        plan = replace(plan, apps=(*plan.apps, plan_own(config, own)))
    run_id = new_run(clock())
    if dry_run:
        return NightResult(run_id, plan, hosts=tuple(HostResult(name, True) for name in names), dry_run=True)
    stop = stop or threading.Event()
    with run_lock(config.paths.journal, f"run {run_id}", clock()):
        refuse_copy(journal, config.root)
        spool.tidy(clock())
        recorder = Recorder(spool, clock, run_id)
        night = _Night(
            config,
            plan,
            run_id,
            colocation,
            journal,
            recorder,
            clock,
            stop,
            run,
            on_progress,
            time.monotonic() + config.backup.max_duration,
            whole=not apps and (nightly or not hosts),
            nightly=nightly,
            lock_wait=lock_wait,
            hooks=Hooks(config, clock),
            house=Housekeeping(config, journal, recorder, frozenset(colocation.inventory.apps), clock),
            gathering=gathering_of(config, names, lambda: on_progress(Step("YunoHost", "", "waiting"))),
        )
        try:
            return night.go(names)
        finally:
            night.hooks.close()


def enter(repository: Repository, journal: Journal, *, may_make: bool = True) -> Listing:
    """Open the repository that we know, or make it on first use. Raises BorgError; never makes one a second time."""
    try:
        found = open_known(repository, journal)
    except RepositoryMissing:
        if not may_make:
            raise
        repository.init()
        found = open_known(repository, journal)
    if journal.repository_id(repository.host, repository.location) is None:
        journal.remember_repository(repository.host, repository.location, found.repository_id)
    return found


@dataclass(frozen=True, slots=True)
class _Night:
    config: Config
    plan: BackupPlan
    run_id: str
    colocation: Colocation
    journal: Journal
    recorder: Recorder
    clock: Clock
    stop: threading.Event
    run: Run | None
    on_progress: OnProgress
    end: float
    whole: bool
    nightly: bool
    lock_wait: int
    hooks: Hooks
    house: Housekeeping
    tried: set[tuple[str, str]] = field(default_factory=set)
    tried_lock: threading.Lock = field(default_factory=threading.Lock)
    gathering: Gathering | None = None  # of the hosts around YunoHost, where it lays the apps out
    seats: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(os.cpu_count() or 1))

    def go(self, names: Sequence[str]) -> NightResult:
        clear_leftovers(self.config)
        try:
            clear_killed(self.config)
        except StateError as error:
            self.recorder.problem(error.sentence())
        for why in undo_left(self.config.paths.journal):
            self.recorder.problem(why)
        if self.whole:  # the daemon reads it as "this night is done", which a run for one app is not
            self.house.begin(names)
            saved = [each.app.id for each in self.plan.apps if each.app.id != OWN]
            self.recorder.fact("run_started", apps=saved, hosts=list(names))
        # Around YunoHost every host must be there at once; then the seats are counted when Borg is started.
        workers = len(names) if self.gathering else min(len(names), os.cpu_count() or 1)
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="backup-host") as pool:
            outcomes = list(pool.map(self._at_work, names))
        for why in self.hooks.problems:
            self.recorder.problem(why)
        if self.whole and not self.stop.is_set():
            self.house.look_after_escrow()
        if self.stop.is_set():
            self.recorder.problem("the run was stopped before its end; what was sent is kept, run it again")
        results = tuple(result for _, of_host in outcomes for result in of_host)
        night = NightResult(self.run_id, self.plan, results, tuple(host for host, _ in outcomes))
        stopped = self.stop.is_set()
        if self.whole:
            good = night.ok and not stopped
            self.recorder.fact("run_finished", ok=good, saved=night.saved, failed=night.failed, stopped=stopped)
        clear_leftovers(self.config)
        return NightResult(self.run_id, self.plan, results, night.hosts, tuple(self.recorder.problems))

    def _at_work(self, name: str) -> tuple[HostResult, list[AppResult]]:
        try:
            return self._host(name)
        finally:
            if self.gathering:
                self.gathering.leave(name)

    def _host(self, name: str) -> tuple[HostResult, list[AppResult]]:
        host, span = self.config.backup.hosts[name], self._span(name)
        free = free_bytes(host)
        plan = self._plan_of(name)
        for failed in plan.failed:
            self.recorder.not_saved(failed, name)
        patience = waits(self.config.backup.patience if self.nightly else 0.0)
        try:
            repository = open_repository(
                self.config, name, run=self.run or cancelled_by(span), lock_wait=self.lock_wait
            )
            before = self._enter(repository, span, patience)
            surprise = self.house.surprise(name, before)
        except (ColocError, OSError) as error:
            return self._unreachable(plan, name, error, free)
        result = HostResult(name, True, "", free, quota_bytes=host.quota)
        result = replace(result, why=nearly_full(result))
        self.recorder.host(result)
        results = self._apps(repository, self._in_order(plan, before, name), span, patience)
        if used := max((each.repository_bytes for each in results), default=0):
            result = replace(result, free_bytes=free_bytes(host), used_bytes=used, why="")
            result = replace(result, why=nearly_full(result))
            self.recorder.host(result)
        if surprise:
            result = replace(result, why=surprise)
        elif self.whole and not span.is_set() and any(each.ok for each in results):
            made = [name for each in results for name in each.archives]
            names = [*(archive.name for archive in before.archives), *made]
            self.on_progress(Step(name, "", "prune"))
            result = replace(result, removed=self.house.tidy(repository, names))
        return result, results

    def _span(self, name: str) -> HostTime:
        """A window counts for nights: who backs up by hand wants it now."""
        hours = f"{self.config.backup.max_duration / 3600:g} h"
        window = self.config.backup.hosts[name].window if self.nightly else None
        return HostTime(
            self.stop,
            self.end,
            f"not reached: the run took longer than {hours}",
            window_ends(window, self.config.zone, self.clock()),
            f"not reached: the window of {name} ({window}) closed; the next night goes on from there",
        )

    def _plan_of(self, name: str) -> BackupPlan:
        """The part of the plan that goes to this host."""

        def goes(app: str) -> bool:
            return app == OWN or self.config.saves(self.colocation.project_of(app), name)

        apps = tuple(plan for plan in self.plan.apps if goes(plan.app.id))
        return replace(self.plan, apps=apps, failed=tuple(each for each in self.plan.failed if goes(each.app)))

    def _in_order(self, plan: BackupPlan, before: Listing, name: str) -> list[AppPlan]:
        """What each host needs most comes first; around YunoHost all hosts go by the one that waits for it longest."""
        if self.gathering is None:
            return in_order(plan.apps, *self._known(before, name))
        return in_one_order(plan.apps, [self.journal.last_proven(host) for host in self.config.backup.hosts])

    def _known(self, before: Listing, name: str) -> tuple[dict[str, datetime], list[str]]:
        """When each app was last proven there, and which were begun."""
        begun = [owner.app for each in before.archives if (owner := checkpoint_of(each.name))]
        return self.journal.last_proven(name), begun

    def _enter(self, repository: Repository, span: HostTime, patience: Iterator[float]) -> Listing:
        while True:
            try:
                return enter(repository, self.journal)
            except (HostDown, RepositoryLocked) as error:
                if not self._waited(repository.host, error, span, patience):
                    raise

    def _waited(self, host: str, error: ColocError, span: HostTime, patience: Iterator[float]) -> bool:
        """True when it is worth another try."""
        pause = next(patience, None)
        if pause is None or span.remaining() <= pause:
            return False
        logger.warning("backup host is waited for", extra={"host": host, "why": str(error), "seconds": pause})
        self.on_progress(Step(host, "", "waiting"))
        return span.wait(pause)

    def _unreachable(
        self, plan: BackupPlan, name: str, error: Exception, free: int | None
    ) -> tuple[HostResult, list[AppResult]]:
        why = error.sentence() if isinstance(error, ColocError) else f"{name}: {error}"
        logger.warning("backup host failed", extra={"host": name, "why": why})
        host = HostResult(name, False, why, free)
        if self.stop.is_set():
            return host, []
        self.recorder.host(host)
        results = [AppResult(each.app.id, name, False, why) for each in plan.apps]
        for result in results:
            self._tell(result)
        return host, results

    def _apps(
        self, repository: Repository, plans: Sequence[AppPlan], span: HostTime, patience: Iterator[float]
    ) -> list[AppResult]:
        results: list[AppResult] = []
        down = ""
        for plan in plans:
            if self.whole:  # a pause stops no run that a person asked for by the names of apps
                paused = Step(repository.host, "", "paused")
                rest(self.config.paths.journal, self.clock, self.stop.wait, partial(self.on_progress, paused))
            if self.stop.is_set():
                break
            down = down or span.why_over()
            if down:
                results.append(AppResult(plan.app.id, repository.host, False, down))
                self._tell(results[-1])
                continue
            result, error = self._app(repository, plan, span)
            while isinstance(error, HostDown) and self._waited(repository.host, error, span, patience):
                result, error = self._app(repository, plan, span)
            results.append(result)
            self._tell(result)
            down = result.failure if isinstance(error, HostDown) else ""
        return results

    def _app(self, repository: Repository, plan: AppPlan, span: HostTime) -> tuple[AppResult, ColocError | None]:
        """One try. A host that just died (HostDown) is not asked again for each app; one app never stops the night."""
        began = time.monotonic()
        host, app = repository.host, plan.app.id
        largest = self.journal.size_before(host, app)
        run = self._run_of(repository, plan, span)
        try:
            ledger.write(self.journal, ledger.Entry(host, "begun", app, run.run, {}), self.clock())
            with self.hooks.around(app):
                done = self._save(replace(run, before=self.journal.contents(host, app)))
            self.journal.remember_contents(host, app, done.contents)
            self.journal.remember_proven(
                host, app, run.run, at=self.clock(), archives=done.archives, original_bytes=done.original_bytes
            )
            archives = dict(zip(done.archives, done.ids, strict=True))
            ledger.write(self.journal, ledger.Entry(host, "proven", app, run.run, archives), self.clock())
        except ColocError as error:
            why = span.why_over() if isinstance(error, Stopped) else ""
            failure = why.replace("not reached", f"{app} was not finished", 1) or error.sentence()
            logger.warning("backup failed", extra={"app": app, "host": host, "why": failure})
            return AppResult(app, host, False, failure, duration_seconds=time.monotonic() - began), error
        took = time.monotonic() - began
        sizes = (done.original_bytes, done.stored_bytes)
        return AppResult(
            app, host, True, "", done.files_archive, *sizes, took, done.archives, done.repository_bytes, largest
        ), None

    def _save(self, run: AppRun) -> AppSet:
        if self.gathering is None or not laid_out_by_yunohost(self.config.root, run.plan.app):
            return run.save()
        with self.gathering.laid_out(run.repository.host, run.plan) as plan, self.seats:
            return run.of(plan, at_most=self.config.backup.yunohost.app_duration).save()

    def _run_of(self, repository: Repository, plan: AppPlan, span: HostTime) -> AppRun:
        host, app = repository.host, plan.app.id
        return AppRun(
            self.config.coloc.name,
            self._run_id(host, app),
            plan,
            repository,
            self.config.paths.journal / "staging" / self.run_id,
            self.config.root,
            self.clock,
            span.remaining,
            lambda what, progress: self.on_progress(Step(host, app, what, progress)),
            servers=servers_from(self.config.database_servers.as_data()),
        )

    def _tell(self, result: AppResult) -> None:
        if result.app != OWN:
            self.recorder.app(result)
        elif result.failure:  # it is no app, and nobody watches it as one: it makes the run fail
            self.recorder.problem(f"the agent's own configuration is not saved: {result.failure}")
        self.on_progress(Step(result.host, result.app, "done" if result.ok else "failed", None, result))

    def _run_id(self, host: str, app: str) -> str:
        """The run's own, or a fresh one for a second try: the first may have left archives of that name."""
        key = (host, app)
        with self.tried_lock:
            again = key in self.tried
            self.tried.add(key)
        return new_run(self.clock()) if again else self.run_id
