"""A run: every app to every host, hosts in parallel, each proven; a dead host or app stops nobody. Then retention.

Stopping (`stop`, or the time being over) ends Borg so that it keeps what was sent; the next run goes on from there.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from types import FrameType

from backup.app_run import AppRun, seconds_until
from backup.borg import Repository
from backup.borg_errors import HostDown, RepositoryMissing, Stopped
from backup.borg_output import Listing
from backup.hosts import free_bytes, hosts_named, open_known, open_repository
from backup.journal import Journal
from backup.leaving import notice_left
from backup.names import new_run
from backup.night import AppResult, HostResult, NightResult, OnProgress, Recorder, Step
from backup.plan import AppPlan, BackupPlan, plan_backup
from backup.prune import prune_host
from backup.run_lock import run_lock
from backup.tree import Tree
from coloc.command import Run, cancelled_by
from coloc.config.whole import Config
from coloc.databases.servers import servers_from
from coloc.errors import ColocError, StateError
from coloc.facts import Spool
from coloc.model import Colocation
from coloc.times import now_utc

logger = logging.getLogger(__name__)

_LOW_BYTES = 1_000_000_000
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
) -> NightResult:
    """Back up, prove, prune, and write down each fact. Raises ColocError only for what concerns the whole run.

    nightly: this is the night of these hosts, though not of all: it is pruned and remembered like a whole run.
    """
    names = hosts_named(config, hosts)
    plan = plan_backup(config, colocation, Tree(config.root), only=apps)
    run_id = new_run(clock())
    if dry_run:
        return NightResult(run_id, plan, hosts=tuple(HostResult(name, True) for name in names), dry_run=True)
    stop = stop or threading.Event()
    with run_lock(config.paths.journal, f"run {run_id}", clock()):
        spool.tidy(clock())
        night = _Night(
            config,
            plan,
            run_id,
            frozenset(colocation.inventory.apps),
            journal,
            Recorder(spool, clock, run_id),
            clock,
            stop,
            run or cancelled_by(stop),
            on_progress,
            time.monotonic() + config.backup.max_duration,
            whole=not apps and (nightly or not hosts),
            lock_wait=lock_wait,
        )
        return night.go(names)


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """INT and TERM set `stop` during the block, so that the run ends in order. Main thread only."""

    def ask(number: int, _: FrameType | None) -> None:
        logger.warning("asked to stop", extra={"signal": number})
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
    apps: frozenset[str]
    journal: Journal
    recorder: Recorder
    clock: Clock
    stop: threading.Event
    run: Run
    on_progress: OnProgress
    end: float
    whole: bool
    lock_wait: int

    def go(self, names: Sequence[str]) -> NightResult:
        _clear(self.config)
        if self.whole:  # the daemon reads it as "this night is done", which a run for one app is not
            self._remember_night(names)
            self.recorder.fact("run_started", apps=[each.app.id for each in self.plan.apps], hosts=list(names))
        workers = min(len(names), os.cpu_count() or 1)
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="backup-host") as pool:
            outcomes = list(pool.map(self._host, names))
        if self.stop.is_set():
            self.recorder.problem("the run was stopped before its end; what was sent is kept, run it again")
        results = tuple(result for _, of_host in outcomes for result in of_host)
        night = NightResult(self.run_id, self.plan, results, tuple(host for host, _ in outcomes))
        stopped = self.stop.is_set()
        if self.whole:
            good = night.ok and not stopped
            self.recorder.fact("run_finished", ok=good, saved=night.saved, failed=night.failed, stopped=stopped)
        _clear(self.config)
        return NightResult(self.run_id, self.plan, results, night.hosts, tuple(self.recorder.problems))

    def _remember_night(self, names: Sequence[str]) -> None:
        try:
            for name in names:
                self.journal.remember_night(name, self.clock())
            notice_left(self.journal, self.apps, self.clock())
        except StateError as error:  # a full disk: what can be saved is saved all the same
            self.recorder.problem(error.sentence())

    def _host(self, name: str) -> tuple[HostResult, list[AppResult]]:
        free = free_bytes(self.config.backup.hosts[name])
        for failed in self.plan.failed:
            self.recorder.not_saved(failed, name)
        try:
            repository = open_repository(self.config, name, run=self.run, lock_wait=self.lock_wait)
            before = enter(repository, self.journal)
        except (ColocError, OSError) as error:
            return self._unreachable(name, error, free)
        why = "less than 1 GB is free there" if free is not None and free < _LOW_BYTES else ""
        self.recorder.host(HostResult(name, True, why, free))
        results = self._apps(repository)
        removed = 0
        if self.whole and not self.stop.is_set() and any(result.ok for result in results):
            made = [name for result in results for name in result.archives]
            removed = self._prune(repository, [*(archive.name for archive in before.archives), *made])
        return HostResult(name, True, why, free, removed), results

    def _unreachable(self, name: str, error: Exception, free: int | None) -> tuple[HostResult, list[AppResult]]:
        why = error.sentence() if isinstance(error, ColocError) else f"{name}: {error}"
        logger.warning("backup host failed", extra={"host": name, "why": why})
        host = HostResult(name, False, why, free)
        if self.stop.is_set():
            return host, []
        self.recorder.host(host)
        results = [AppResult(plan.app.id, name, False, why) for plan in self.plan.apps]
        for result in results:
            self._tell(result)
        return host, results

    def _apps(self, repository: Repository) -> list[AppResult]:
        results: list[AppResult] = []
        down = ""
        for plan in self.plan.apps:
            if self.stop.is_set():
                break
            if not down and time.monotonic() >= self.end:
                down = f"not reached: the run took longer than {self.config.backup.max_duration / 3600:g} h"
            if down:
                results.append(AppResult(plan.app.id, repository.host, False, down))
                self._tell(results[-1])
                continue
            result, host_is_down = self._app(repository, plan)
            results.append(result)
            down = result.failure if host_is_down else ""
        return results

    def _app(self, repository: Repository, plan: AppPlan) -> tuple[AppResult, bool]:
        began = time.monotonic()
        host, app = repository.host, plan.app.id
        run = self._run_of(repository, plan)
        host_is_down = False
        try:
            done = replace(run, before=self.journal.contents(host, app)).save()
            self.journal.remember_contents(host, app, done.contents)
            self.journal.remember_proven(
                host, app, self.run_id, at=self.clock(), archives=done.archives, original_bytes=done.original_bytes
            )
        except ColocError as error:
            # One app must never stop the night, and a host that just died is not asked again for each app.
            host_is_down = isinstance(error, HostDown) and not isinstance(error, Stopped)
            result = AppResult(app, host, False, error.sentence(), duration_seconds=time.monotonic() - began)
            logger.warning("backup failed", extra={"app": app, "host": host, "why": result.failure})
        else:
            took = time.monotonic() - began
            sizes = (done.original_bytes, done.stored_bytes)
            result = AppResult(app, host, True, "", done.files_archive, *sizes, took, done.archives)
        self._tell(result)
        return result, host_is_down

    def _run_of(self, repository: Repository, plan: AppPlan) -> AppRun:
        host, app = repository.host, plan.app.id
        return AppRun(
            self.config.coloc.name,
            self.run_id,
            plan,
            repository,
            self.config.paths.journal / "staging" / self.run_id,
            self.config.root,
            self.clock,
            lambda: seconds_until(self.end),
            lambda what, progress: self.on_progress(Step(host, app, what, progress)),
            servers=servers_from(self.config.database_servers.model_dump()),
        )

    def _tell(self, result: AppResult) -> None:
        self.recorder.app(result)
        self.on_progress(Step(result.host, result.app, "done" if result.ok else "failed", None, result))

    def _prune(self, repository: Repository, names: Sequence[str]) -> int:
        self.on_progress(Step(repository.host, "", "prune"))
        try:
            pruning = prune_host(self.config, repository, self.journal, names=names, apps=self.apps, now=self.clock())
        except ColocError as error:
            self.recorder.fact("prune", host=repository.host, ok=False, removed=0, failure=error.sentence())
            self.recorder.problem(f"retention: {error.sentence()}")
            return 0
        removed = len(pruning.removed)
        self.recorder.fact("prune", host=repository.host, ok=True, removed=removed, failure="")
        return removed


def _clear(config: Config) -> None:
    """What a killed run left in staging; ours alone, under the lock."""
    shutil.rmtree(config.paths.journal / "staging", ignore_errors=True)
    try:
        (config.paths.journal / "borg").mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"{config.paths.journal} cannot be written: {error.strerror}", hint="run it as root; is its disk full?"
        ) from error
