"""What a run reports: results of apps and hosts, and the recorder that writes them as facts and never stops it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from backup.borg_output import Progress
from backup.plan import BackupPlan, NotSaved
from coloc.errors import StateError
from coloc.facts import Spool, Value

logger = logging.getLogger(__name__)
LOW_BYTES, FULL_RATIO = 1_000_000_000, 0.9


@dataclass(frozen=True, slots=True)
class AppResult:
    """One app on one host. ok: every archive of the set was read back."""

    app: str
    host: str
    ok: bool
    failure: str = ""
    archive: str = ""
    original_bytes: int = 0
    stored_bytes: int = 0
    duration_seconds: float = 0.0
    archives: tuple[str, ...] = ()
    repository_bytes: int = 0
    before_bytes: int = 0  # the largest of the three good backups before


@dataclass(frozen=True, slots=True)
class HostResult:
    """One host in this run. why: what kept us out, or what to know of it."""

    host: str
    reachable: bool
    why: str = ""
    free_bytes: int | None = None
    removed: int = 0
    used_bytes: int | None = None  # by the whole repository
    quota_bytes: int | None = None  # what we may use there


def nearly_full(host: HostResult) -> str:
    """What to know of a host's room; "" when there is enough. Below 1 GB Borg can no longer make room. Pure."""
    if host.free_bytes is not None and host.free_bytes < LOW_BYTES:
        return "less than 1 GB is free there"
    if host.used_bytes is not None and host.quota_bytes and host.used_bytes >= FULL_RATIO * host.quota_bytes:
        return f"{100 * host.used_bytes // host.quota_bytes} % of what we may use there is used"
    return ""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to show while it goes on. what: database | files | readback | prune | done | failed | host."""

    host: str
    app: str
    what: str
    progress: Progress | None = None
    result: AppResult | None = None


OnProgress = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class NightResult:
    """The whole run. `problems`: what could not be written down, and what stopped it."""

    run: str
    plan: BackupPlan
    results: tuple[AppResult, ...] = ()
    hosts: tuple[HostResult, ...] = ()
    problems: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def saved(self) -> int:
        """How many (app, host) pairs were saved and read back."""
        return sum(result.ok for result in self.results)

    @property
    def failed(self) -> int:
        """How many (app, host) pairs were not saved, apps that could not even be planned counted once."""
        return len(self.plan.failed) + sum(not result.ok for result in self.results)

    @property
    def ok(self) -> bool:
        """True when everything was saved and proven on every host, and everything is written down."""
        return not self.failed and not self.problems and all(host.reachable for host in self.hosts)


@dataclass(slots=True)
class Recorder:
    """Writes facts. A full disk under the spool makes the run fail in the end; it does not stop the backups."""

    spool: Spool
    clock: Callable[[], datetime]
    run: str
    problems: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fact(self, kind: str, **values: Value) -> None:
        """Report one fact."""
        try:
            self.spool.write(kind, self.clock(), run=self.run, **values)
        except StateError as error:
            logger.error("a fact was lost", extra={"kind": kind, "why": str(error)})
            self.problem(error.sentence())

    def problem(self, sentence: str) -> None:
        """Remember, once, something that makes the run fail."""
        with self._lock:
            if sentence not in self.problems:
                self.problems.append(sentence)

    def app(self, result: AppResult) -> None:
        """An app's try on a host, and its proof."""
        self.fact(
            "backup",
            app=result.app,
            host=result.host,
            ok=result.ok,
            archive=result.archive,
            bytes=result.original_bytes,
            stored_bytes=result.stored_bytes,
            before_bytes=result.before_bytes,
            duration_seconds=round(result.duration_seconds, 3),
            failure=result.failure,
        )
        if result.ok:
            self.fact("proof", app=result.app, host=result.host, archive=result.archive, what="readback")

    def not_saved(self, what: NotSaved, host: str) -> None:
        """An app that could not even be begun."""
        self.app(AppResult(what.app, host, False, what.why))

    def host(self, result: HostResult) -> None:
        """How a host was found."""
        self.fact(
            "host",
            host=result.host,
            reachable=result.reachable,
            free_bytes=result.free_bytes,
            why=result.why,
            used_bytes=result.used_bytes,
            quota_bytes=result.quota_bytes,
        )
