"""The rules, all in one place: which findings follow from what was measured and reported. Pure.

Each rule is a function from a `Situation` to findings: one per subject it can speak about, active or not. A subject it
cannot speak about now has `active=None`, so that a gap in the measures neither raises nor resolves anything.
Severities, waits and thresholds stand in `rule_table.py`; rules that only compare a figure, in `measured_rules.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from agent.awaited import awaited
from agent.backup_store import BackupStanding
from agent.drill_awaited import drills_awaited
from agent.drill_store import CheckStanding, DrillStanding
from agent.foreign_alerts import FOREIGN, ForeignAlert, finding_of
from agent.host_store import Escrow, Room
from agent.incidents import Finding, Severity
from agent.maintenance.plan import Maintenance
from agent.maintenance.plan import Phase as MaintenancePhase
from agent.measured_rules import CUSTOM, custom, judged, measured
from agent.metric_rules import FIGURES, sources
from agent.quota_agreements import limit_of
from agent.quotas import Key, QuotaStep, Standing
from agent.readings import Readings
from agent.rule_table import SPECS
from agent.service_level import served
from agent.sizes import size
from backup.names import SYSTEM
from collectors.usage import FilesystemUsage
from coloc.config.rules import RuleChange
from coloc.config.whole import Config
from coloc.model import AppState, Colocation
from coloc.times import iso


@dataclass(frozen=True, slots=True)
class CollectorHealth:
    """How a collector is doing. `failing_since` None: its last turn was good."""

    name: str
    failing_since: datetime | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the rules look at, at one moment."""

    now: datetime
    config: Config
    colocation: Colocation
    app_up: Mapping[str, bool | None]
    collectors: tuple[CollectorHealth, ...] = ()
    filesystems: tuple[FilesystemUsage, ...] = ()
    backups: tuple[BackupStanding, ...] = ()
    hosts: Mapping[str, tuple[bool, str]] = field(default_factory=dict)  # reachable?, why not
    first_seen: Mapping[str, datetime] = field(default_factory=dict)  # since when each app is known
    quotas: tuple[Standing, ...] = ()
    config_error: str | None = None
    open_keys: frozenset[str] = frozenset()
    drills: tuple[DrillStanding, ...] = ()
    rooms: Mapping[str, Room] = field(default_factory=dict)
    size_ratios: Mapping[tuple[str, str], float] = field(default_factory=dict)  # (app, host) → of the backups before
    escrow: Escrow | None = None
    checks: tuple[CheckStanding, ...] = ()
    readings: Readings = field(default_factory=Readings)
    held: Mapping[Key, str] = field(default_factory=dict)  # quotas that are more than a simulation
    maintenances: tuple[Maintenance, ...] = ()  # those that are not over
    foreign: tuple[ForeignAlert, ...] = ()  # what an Alertmanager told us

    def is_open(self, finding: Finding) -> bool:
        """True when the incident that a finding is about is open: then its clearing threshold counts."""
        return finding.key in self.open_keys


HALF, LOW_BYTES = 0.5, 1_000_000_000
Rule = Callable[[Situation], Iterator[Finding]]


def app_down(situation: Situation) -> Iterator[Finding]:
    """An app whose unit does not run. What systemd has given up is told at once."""
    failed = {labels["app"] for labels, on in situation.readings.now("coloc_unit_state", state="failed") if on}
    for app_id, app in sorted(situation.colocation.inventory.apps.items()):
        if app.state is AppState.STRAY or app_id not in situation.app_up:
            continue
        up = situation.app_up[app_id]
        finding = _finding(
            "app_down",
            (("app", app_id), ("project", situation.colocation.project_of(app_id))),
            None if up is None else not up,
            value={"label": app.label, "units": ", ".join(app.services[:5])},
        )
        yield replace(finding, wait=timedelta(0)) if app_id in failed else finding


def collector_failing(situation: Situation) -> Iterator[Finding]:
    """A collector that cannot measure: figures are old, and rules that need them are blind."""
    for collector in situation.collectors:
        yield _finding(
            "collector_failing",
            (("collector", collector.name),),
            collector.failing_since is not None,
            value={"error": collector.error[:300]} if collector.failing_since else {},
        )


def host_unreachable(situation: Situation) -> Iterator[Finding]:
    """A backup host that did not answer at the last run. What follows from it is not told again for each app."""
    for host in sorted(situation.config.backup.hosts):
        reachable, why = situation.hosts.get(host, (None, ""))
        yield _finding(
            "host_unreachable",
            (("host", host),),
            None if reachable is None else not reachable,
            value={"why": why} if reachable is False else {},
        )


def backup_failed(situation: Situation) -> Iterator[Finding]:
    """The last try of a backup failed, at a host that answers. At one that does not, nothing is known."""
    for standing in _kept_backups(situation):
        reachable = situation.hosts.get(standing.host, (True, ""))[0]
        failed = None if reachable is False and not standing.last_try_ok else _failed(standing)
        yield _finding(
            "backup_failed",
            _backup_labels(situation, standing.app, standing.host),
            failed,
            value={"why": standing.failure} if failed else {},
        )


def _failed(standing: BackupStanding) -> bool:
    return standing.last_try_at is not None and not standing.last_try_ok


def backup_late(situation: Situation) -> Iterator[Finding]:
    """No proven-good backup of an app at a host for too long. It counts from when the app was first seen."""
    limit = timedelta(seconds=situation.config.backup.late_after)
    for one in awaited(situation.config, situation.colocation, situation.backups, situation.first_seen, situation.now):
        late = None if one.since is None else situation.now - one.since > limit
        yield _finding(
            "backup_late",
            _backup_labels(situation, one.app, one.host),
            late,
            value={"last": one.last.isoformat() if one.last else ""} if late else {},
        )


def drill_failed(situation: Situation) -> Iterator[Finding]:
    """The last drill of an app's archive at a host did not prove what it was to prove."""
    apps, hosts = situation.colocation.inventory.apps, situation.config.backup.hosts
    for drill in situation.drills:
        if drill.app in apps and drill.host in hosts:
            yield _finding(
                "drill_failed",
                _backup_labels(situation, drill.app, drill.host),
                not drill.last_try_ok,
                value={} if drill.last_try_ok else {"why": drill.failure},
            )


def check_failed(situation: Situation) -> Iterator[Finding]:
    """`borg check` found the repository of a host damaged, and nothing has shown yet that it is well again."""
    for check in situation.checks:
        if check.host in situation.config.backup.hosts:
            yield _finding(
                "check_failed", (("host", check.host),), not check.ok, value={} if check.ok else {"why": check.failure}
            )


def drill_overdue(situation: Situation) -> Iterator[Finding]:
    """No archive of an app at a host was proven whole by a drill for too long. A part does not count."""
    limit = timedelta(seconds=situation.config.backup.drill.overdue_after)
    waits = drills_awaited(
        situation.config,
        situation.colocation,
        situation.backups,
        situation.drills,
        first_seen=situation.first_seen,
        now=situation.now,
    )
    for one in waits:
        overdue = None if one.since is None else situation.now - one.since > limit
        yield _finding(
            "drill_overdue",
            _backup_labels(situation, one.app, one.host),
            overdue,
            value={"last": one.last.isoformat() if one.last else ""} if overdue else {},
        )


def backup_shrunk(situation: Situation) -> Iterator[Finding]:
    """The last good backup of an app is less than half of what the ones before were."""
    for standing in _kept_backups(situation):
        ratio = situation.size_ratios.get((standing.app, standing.host))
        shrunk = None if ratio is None else ratio < HALF
        yield _finding(
            "backup_shrunk",
            _backup_labels(situation, standing.app, standing.host),
            shrunk,
            value={"percent": f"{100 * ratio:.0f}"} if shrunk and ratio is not None else {},
        )


def host_nearly_full(situation: Situation) -> Iterator[Finding]:
    """A backup host with less than 1 GB free (below it Borg cannot even make room), or near what we may use there."""
    change = situation.config.rules.get("host_nearly_full", RuleChange())
    mark = SPECS["host_nearly_full"].above if change.above is None else change.above
    for host in sorted(situation.config.backup.hosts):
        room = situation.rooms.get(host, Room(None, None, None))
        told = []
        if room.used_ratio is not None and mark is not None and room.used_ratio >= mark:
            told.append(f"{100 * room.used_ratio:.0f} % / {size(room.quota_bytes or 0)}")
        if room.free_bytes is not None and room.free_bytes < LOW_BYTES:
            told.append(f"< {size(LOW_BYTES)}")
        is_known = room.used_ratio is not None or room.free_bytes is not None
        full = bool(told) if is_known else None
        yield _finding("host_nearly_full", (("host", host),), full, value={"why": ", ".join(told)} if told else {})


def key_not_escrowed(situation: Situation) -> Iterator[Finding]:
    """What opens the backups is in nobody's hands but the server's, or was not proven to open them."""
    escrow = situation.escrow
    if situation.config.backup.hosts and situation.config.reaches("backup"):
        missing = None if escrow is None else not escrow.ok
        yield _finding("key_not_escrowed", (), missing, value={"why": escrow.why} if escrow and missing else {})


def disk_nearly_full(situation: Situation) -> Iterator[Finding]:
    """A filesystem that holds apps is nearly full; over only when it is three points emptier."""
    spec, change = SPECS["disk_nearly_full"], situation.config.rules.get("disk_nearly_full", RuleChange())
    for filesystem in situation.filesystems:
        finding = _finding("disk_nearly_full", (("filesystem", filesystem.mount),), None, value={})
        # In whole percents: on a disk a twentieth is much.
        value = {"percent": f"{filesystem.used_ratio * 100:.0f}"}
        yield replace(judged(situation, finding, spec, change, filesystem.used_ratio), value=value)


def quota_exceeded(situation: Situation) -> Iterator[Finding]:
    """A project, or an app, above what was agreed: it is told what is done about it, or would be."""
    for standing in situation.quotas:
        # Without a measure nobody can tell: the message keeps the figure that it had.
        active = None if standing.used is None else standing.step is not QuotaStep.FINE
        limit = limit_of(situation.config, standing.project, standing.app, standing.resource)
        app = (("app", standing.app),) if standing.app else ()
        ratio = standing.used / limit.hard if limit and standing.used is not None else 0.0
        yield _finding(
            "quota_exceeded",
            (*app, ("project", standing.project), ("resource", standing.resource)),
            active,
            severity=Severity.INFO if standing.step is QuotaStep.WARN else None,
            # In tens of percent: a figure that wavers is not news.
            value={"step": _step_told(situation, standing), "percent": f"{round(ratio * 10) * 10:d}"} if active else {},
        )


def _step_told(situation: Situation, standing: Standing) -> str:
    """`held:throttle` when the kernel holds it, `throttle` for what would be done."""
    held = situation.held.get(standing.key)
    return f"held:{held}" if held else str(standing.step)


def config_invalid(situation: Situation) -> Iterator[Finding]:
    """coloc.yml was changed and cannot be used: the agent goes on with what it had."""
    error = situation.config_error
    value = {"error": error[:500]} if error else {}
    yield _finding("config_invalid", (), error is not None, value=value)


def maintenance_overrun(situation: Situation) -> Iterator[Finding]:
    """A maintenance goes on beyond its planned end: what it covers is no longer kept quiet."""
    for one in situation.maintenances:
        if one.phase is MaintenancePhase.RUNNING:
            project = situation.colocation.project_of(one.app) if one.app else one.project
            labels = tuple(pair for pair in (("app", one.app), ("project", project)) if pair[1])
            labels = (("maintenance", str(one.id)), *labels)
            value = {"title": one.title, "last": iso(one.ends_at)}
            yield _finding("maintenance_overrun", labels, situation.now >= one.ends_at, value=value)


def messages_waiting(situation: Situation) -> Iterator[Finding]:
    """Messages that do not leave on a channel of coloc.yml; those of one that was taken out wait for it."""
    channels = situation.config.channels
    on = {"console"} | {name for name in channels.types() if getattr(channels, name) is not None}
    for finding in measured(situation, "messages_waiting"):
        if dict(finding.labels)["channel"] in on:
            yield finding


RULES: Mapping[str, Rule] = {
    "app_down": app_down,
    "collector_failing": collector_failing,
    "host_unreachable": host_unreachable,
    "backup_failed": backup_failed,
    "backup_late": backup_late,
    "backup_shrunk": backup_shrunk,
    "host_nearly_full": host_nearly_full,
    "key_not_escrowed": key_not_escrowed,
    "drill_failed": drill_failed,
    "drill_overdue": drill_overdue,
    "check_failed": check_failed,
    "disk_nearly_full": disk_nearly_full,
    "quota_exceeded": quota_exceeded,
    "config_invalid": config_invalid,
    "maintenance_overrun": maintenance_overrun,
    **{name: partial(measured, name=name) for name in FIGURES},
    "messages_waiting": messages_waiting,
}


def findings(situation: Situation) -> list[Finding]:
    """What every rule that is on says now, with what people changed in coloc.yml."""
    found = []
    for name, rule in RULES.items():
        change = situation.config.rules.get(name, RuleChange())
        if not change.off:
            config = situation.config
            found += [_changed(served(config, finding), change) for finding in rule(situation)]
    return [*found, *custom(situation), *(finding_of(each, situation.colocation) for each in situation.foreign)]


def able(situation: Situation) -> frozenset[str]:
    """The rules that speak about all their subjects this time: those that see no measure at all keep quiet."""
    blind = set()
    if not situation.app_up:
        blind.add("app_down")
    if not situation.filesystems:
        blind.add("disk_nearly_full")
    if not situation.collectors:
        blind.add("collector_failing")
    readings = situation.readings
    blind |= {name for name in FIGURES if not all(readings.knows(source) for source in sources(name))}
    # A rule of coloc.yml whose metric nobody measures now is blind; one that coloc.yml no longer has is over.
    mine = {f"{CUSTOM}{name}": rule for name, rule in situation.config.custom_rules.items()}
    open_ones = {key.split("{", 1)[0] for key in situation.open_keys if key.startswith(CUSTOM)}
    gone = open_ones - set(mine)
    gone |= {key.split("{", 1)[0] for key in situation.open_keys if key.startswith(FOREIGN)}
    return frozenset(RULES) - blind | gone | {name for name, rule in mine.items() if readings.knows(rule.metric)}


def _changed(finding: Finding, change: RuleChange) -> Finding:
    if change.wait is not None:
        finding = replace(finding, wait=timedelta(seconds=change.wait))
    if change.clear_after is not None:
        finding = replace(finding, clear_after=timedelta(seconds=change.clear_after))
    if change.severity is not None:
        finding = replace(finding, severity=Severity(change.severity))
    return finding


def _finding(
    rule: str,
    labels: tuple[tuple[str, str], ...],
    active: bool | None,
    *,
    severity: Severity | None = None,
    value: Mapping[str, str],
) -> Finding:
    spec = SPECS[rule]
    return Finding(rule, labels, active, severity or spec.severity, spec.wait, spec.clear_after, value)


def _backup_labels(situation: Situation, app: str, host: str) -> tuple[tuple[str, str], ...]:
    return (("app", app), ("project", situation.colocation.project_of(app)), ("host", host))


def _kept_backups(situation: Situation) -> Iterator[BackupStanding]:
    for standing in situation.backups:
        known = standing.app == SYSTEM or standing.app in situation.colocation.inventory.apps
        if known and standing.host in situation.config.backup.hosts:
            yield standing
