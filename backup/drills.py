"""A run of drills: what a killed one left is removed, then each pair of app and host in its turn, within the budget.

A pair that fails stops nobody. A host that does not answer is left to the nightly run, which tells it.
"""

from __future__ import annotations

import logging
import resource
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from backup.borg import Repository
from backup.borg_errors import NOTHING_LEARNT, Stopped
from backup.check_slices import slice_of
from backup.drill import Drill, Proof
from backup.drill_databases import drop_scratch
from backup.drill_files import remove_tree
from backup.drill_journal import DrillJournal, open_drill_journal
from backup.drill_plan import Pair, Purse, Turn, due, plan_turns
from backup.host_time import window_ends
from backup.hosts import hosts_named, open_known, open_repository
from backup.journal import Journal
from backup.names import new_run
from backup.prune import sets_of
from backup.restore_plan import Candidate, choose
from coloc.command import Run, cancelled_by
from coloc.config.whole import Config
from coloc.databases.servers import servers_from
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.times import now_utc

logger = logging.getLogger(__name__)
_PACE = 5_000_000.0  # bytes a second, until a host was measured
_CPU_SECONDS_A_BYTE = 10e-9  # measured: 7.6 s a GB of extraction, and the comparing
_LOCK_WAIT = 60
OnStep = Callable[[str, str, str], None]  # host, app, what


@dataclass(frozen=True, slots=True)
class Drilled:
    """What became of one pair. `proof` is None when it failed."""

    app: str
    host: str
    seconds: float
    proof: Proof | None = None
    failure: str = ""


@dataclass(slots=True)
class DrillNight:
    """The whole run. problems: hosts that did not answer, facts that were lost, what stopped it."""

    turns: list[Turn] = field(default_factory=list)
    done: list[Drilled] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)  # hosts

    @property
    def ok(self) -> bool:
        """True when every drill of this run proved what it was to prove."""
        return not self.problems and all(each.proof is not None for each in self.done)


@dataclass(frozen=True, slots=True)
class DrillRun:
    """What a run of drills needs. apps: those that somebody named are proven whole, whatever that costs."""

    config: Config
    backups: Journal
    journal: DrillJournal
    spool: Spool
    here: frozenset[str] = frozenset()  # the apps of this server: archives of others are left to time
    apps: Sequence[str] = ()
    hosts: Sequence[str] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    on_step: OnStep = lambda *_: None
    clock: Callable[[], datetime] = now_utc
    run: Run | None = None

    def plan(self) -> tuple[DrillNight, dict[tuple[str, str], Candidate]]:
        """What would be drilled now, and of which set. Nothing is extracted."""
        night = DrillNight()
        found: dict[tuple[str, str], Candidate] = {}
        for host in hosts_named(self.config, self.hosts):
            if not self.apps and time.monotonic() >= self._closes(host):
                continue  # its friends asked for other hours
            try:
                for candidate in self._newest(host):
                    found[candidate.set.app, host] = candidate
                night.answered.append(host)
            except ColocError as error:
                night.problems.append(error.sentence())
        for app in self.apps:
            if not any(each == app for each, _ in found) and not night.problems:
                raise ColocError(f"there is no archive of {app!r}", hint="list them with `coloc-agent archives`")
        pairs = [self._pair(each) for each in found.values() if each.set.app in self.here or each.set.app in self.apps]
        if self.apps:
            night.turns = [Turn(pair, pair.bytes) for pair in pairs if pair.app in self.apps]
        else:
            waiting = due(pairs, every=timedelta(seconds=self.config.backup.drill.every), now=self.clock())
            night.turns = plan_turns(waiting, self._purse())
        return night, found

    def go(self) -> DrillNight:
        """Do it; call it under the run lock."""
        end = time.monotonic() + (24 * 3600.0 if self.apps else self.config.backup.drill.max_duration)
        clear_leftovers(self.config, self.journal, run=self.run)
        night, found = self.plan()
        for host in night.answered:  # what was deleted there is forgotten here as well
            self.journal.keep_only(host, [app for app, where in found if where == host])
        if not self.apps:
            self._check(night, end)
        cpu = 0.0
        for turn in night.turns:
            if self.stop.is_set() or time.monotonic() >= end:
                break
            if not self.apps and cpu >= self.config.backup.drill.cpu:
                break
            closes = min(end, end if self.apps else self._closes(turn.pair.host))
            if time.monotonic() >= closes:
                continue
            before = _cpu_seconds()
            drilled = self._one(turn, found[turn.pair.app, turn.pair.host], closes, night)
            cpu += _cpu_seconds() - before
            if drilled is not None:
                night.done.append(drilled)
        if self.stop.is_set():
            night.problems.append("the drills were stopped before their end; the next run goes on with what is left")
        return night

    def _one(self, turn: Turn, candidate: Candidate, end: float, night: DrillNight) -> Drilled | None:
        app, host, began = turn.pair.app, turn.pair.host, time.monotonic()
        month = f"{self.clock():%Y-%m}"
        self.journal.charge(host, month, turn.bytes)
        drill = Drill(
            self.config,
            self._repository(host),
            candidate,
            self.journal,
            new_run(self.clock()),
            None if turn.whole else turn.bytes,
            lambda what: self.on_step(host, app, what),
            lambda: max(1.0, end - time.monotonic()),
            self.run or cancelled_by(self.stop),
        )
        try:
            drilled = Drilled(app, host, 0.0, drill.go())
        except NOTHING_LEARNT as error:
            if self.stop.is_set():
                return None
            # Nothing is known of the archive: the hours were over, or the host is away.
            if isinstance(error, Stopped):
                self.journal.remember_pace(host, (self.journal.pace(host) or _PACE) / 2)
            night.problems.append(f"{app}: {error.sentence()}")
            return None
        except ColocError as error:
            if self.stop.is_set():
                return None
            logger.warning("drill failed", extra={"app": app, "host": host, "why": error.sentence()})
            drilled = Drilled(app, host, 0.0, failure=error.sentence())
        drilled = replace(drilled, seconds=time.monotonic() - began)
        self._remember(drilled, night)
        return drilled

    def _check(self, night: DrillNight, end: float) -> None:
        """A slice of `borg check` on each host, the time for it shared among them."""
        names = [name for name in hosts_named(self.config, self.hosts) if time.monotonic() < self._closes(name)]
        for number, host in enumerate(names):
            left = min(end - time.monotonic(), self.config.backup.drill.check) / (len(names) - number)
            if self.stop.is_set() or left < 1:
                return
            self.on_step(host, "", "check")
            try:
                repository, turn = self._repository(host), self.journal.check_turn(host)
                listed = [each.name for each in open_known(repository, self.backups).archives]
                turn, complete = slice_of(repository, turn, listed, coloc=self.config.coloc.name, seconds=left)
                self.journal.remember_check(host, turn)
                ok, why = not turn.failure, turn.failure
                self.spool.write("check", self.clock(), host=host, ok=ok, failure=why, complete=complete)
            except ColocError as error:  # the host is away, or our own memory is: nothing is known of the repository
                night.problems.append(error.sentence())
                continue
            night.problems += [f"{host}: the check of its repository: {turn.failure}"] if turn.failure else []

    def _remember(self, drilled: Drilled, night: DrillNight) -> None:
        proof, now = drilled.proof, self.clock()
        whole = proof is not None and proof.whole
        try:
            self.journal.remember(drilled.host, drilled.app, now, ok=proof is not None, whole=whole)
            if proof is not None and proof.bytes > 1_000_000 and drilled.seconds > 0:
                self.journal.remember_pace(drilled.host, proof.bytes / drilled.seconds)
            self.spool.write("drill", now, **values_of(drilled))
        except ColocError as error:
            night.problems.append(error.sentence())

    def _newest(self, host: str) -> list[Candidate]:
        listed = open_known(self._repository(host), self.backups).archives
        sets = sets_of(self.config.coloc.name, [each.name for each in listed], self.backups.proven(host))
        whole = [Candidate(host, each) for each in sets if each.complete]
        return [choose(whole, app, now=self.clock()) for app in sorted({each.set.app for each in whole})]

    def _pair(self, candidate: Candidate) -> Pair:
        app, host = candidate.set.app, candidate.host
        known = self.journal.tried().get((app, host))
        size = self.backups.sizes(host).get((app, candidate.set.run))
        if size is None:  # the journal was lost
            infos = self._repository(host).archive_infos(f"{self.config.coloc.name}.{app}.{candidate.set.run}.*")
            size = sum(info.original_bytes for info in infos)
        return Pair(
            app, host, size, known.whole_at if known else None, known.tried_at if known else None,
            known.tried_ok if known else True,
        )  # fmt: skip

    def _purse(self) -> Purse:
        drill, month = self.config.backup.drill, f"{self.clock():%Y-%m}"
        names = hosts_named(self.config, self.hosts)
        pace = min(self.journal.pace(name) or _PACE for name in names)
        by_time, by_cpu = drill.max_duration * pace, drill.cpu / _CPU_SECONDS_A_BYTE
        download: dict[str, int | None] = {}
        for name in names:
            most = download_limit(self.config, name)
            download[name] = None if most is None else max(0, most - self.journal.downloaded(name, month))
        return Purse(int(min(by_time, by_cpu)), download)

    def _closes(self, host: str) -> float:
        """When the window of a host closes, on the monotonic clock."""
        closes = window_ends(self.config.backup.hosts[host].window, self.config.zone, self.clock())
        return float("inf") if closes is None else closes

    def _repository(self, host: str) -> Repository:
        (self.config.paths.journal / "borg").mkdir(parents=True, exist_ok=True, mode=0o700)
        return open_repository(self.config, host, run=self.run or cancelled_by(self.stop), lock_wait=_LOCK_WAIT)


def download_limit(config: Config, host: str) -> int | None:
    """What drills may read from a host in a month; None for a disk of our own that nobody limited."""
    entry = config.backup.hosts[host]
    return entry.drill_download or (config.backup.drill.download if entry.ssh else None)


def values_of(drilled: Drilled) -> Mapping[str, str | int | float | bool]:
    """What the daemon is told of a drill."""
    values: dict[str, str | int | float | bool] = {
        "app": drilled.app,
        "host": drilled.host,
        "ok": drilled.proof is not None,
        "failure": drilled.failure,
        "seconds": round(drilled.seconds, 3),
    }
    if proof := drilled.proof:
        values |= {
            "archive": proof.archive,
            "whole": proof.whole,
            "ratio": round(proof.ratio, 4),
            "bytes": proof.bytes,
            "files": proof.files.files,
            "samples": proof.files.samples,
            "databases": proof.databases,
            "rows": proof.rows,
        }
    return values


def clear_leftovers(config: Config, journal: DrillJournal, *, run: Run | None = None) -> None:
    """Remove what a killed drill left; what cannot go now is tried again at the next start."""
    servers = servers_from(config.database_servers.as_data())
    for kind, name in journal.leftovers():
        with suppress(ColocError, OSError):
            if kind == "folder":
                remove_tree(Path(name))
            else:
                drop_scratch(kind, name, servers, run=run or cancelled_by(threading.Event()))
            journal.gone(kind, name)


def clear_killed(config: Config) -> None:
    """The same for a run of something else, which need not know whether there ever was a drill. Raises StateError."""
    if (config.paths.journal / "drills.db").exists():
        with closing(open_drill_journal(config.paths.journal)) as journal:
            clear_leftovers(config, journal)


def _cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)
