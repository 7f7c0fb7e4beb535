"""Makes a Status out of what is remembered and what was seen: the one picture that page, command line and API share."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from agent import backup_store, drill_store, silences
from agent.alert_tests import latest_tests
from agent.enforcing import Enforced
from agent.fair_use import fair_use
from agent.maintenance import store as maintenance_store
from agent.maintenance.plan import Maintenance, Phase
from agent.observation import Observation
from agent.past import latest
from agent.quota_picture import QuotaPicture
from agent.quotas import Standing
from agent.status import (
    AppStatus,
    BackupStatus,
    DrillStatus,
    FairUseStatus,
    IncidentStatus,
    MaintenanceStatus,
    ProjectStatus,
    QuotaStatus,
    SilenceStatus,
    Status,
)
from collectors.usage import AppUsage, ProjectUsage
from coloc import outbox
from coloc.config.whole import Config
from coloc.model import App

_INCIDENTS = 50
_MAINTENANCES = 20


def snapshot(
    config: Config,
    connection: sqlite3.Connection,
    observation: Observation,
    standings: Sequence[Standing],
    now: datetime,
    *,
    version: str,
    started_at: datetime,
    enforced: Enforced | None = None,
) -> Status:
    """The picture at `now`."""
    known = QuotaPicture(config, enforced or Enforced())
    colocation = observation.colocation
    quotas: dict[str, list[Standing]] = {}
    for standing in standings:
        if not standing.app:
            quotas.setdefault(standing.project, []).append(standing)
    return Status(
        coloc=config.coloc.name,
        kind=config.coloc.kind,
        stage=config.stage,
        version=version,
        timezone=config.coloc.timezone,
        at=now,
        started_at=started_at,
        projects=tuple(_project(name, config, observation, known.of(quotas.get(name, []))) for name in config.projects),
        apps=tuple(
            _app(app, colocation.project_of(app_id), observation.usage.apps.get(app_id))
            for app_id, app in sorted(colocation.inventory.apps.items())
        ),
        hosts=tuple(sorted(config.backup.hosts)),
        backups=tuple(_backups(config, connection)),
        incidents=latest(config, connection, _INCIDENTS, now),
        collectors={
            item.name: item.error or ("failing" if item.failing_since else "") for item in observation.collectors
        },
        outbox=_messages(connection),
        tests=latest_tests(connection, now),
        app_quotas=known.of(standing for standing in standings if standing.app),
        fair_use=_fair_use(config, observation),
        enforcement=known.troubles(),
        silences=tuple(_silence(each) for each in silences.known(connection, now)),
        maintenances=tuple(_maintenance(one) for one in maintenance_store.latest(connection, _MAINTENANCES)),
        blind_spots=observation.blind_spots,
    )


def _messages(connection: sqlite3.Connection) -> dict[str, int]:
    """What waits on each channel, and what it will never take."""
    waiting = {channel: count for channel, (count, _) in outbox.depth(connection).items()}
    return waiting | {f"{channel} (given up)": count for channel, count in outbox.given_up(connection).items()}


def _app(app: App, project: str, usage: AppUsage | None) -> AppStatus:
    usage = usage or AppUsage(app.id, project)
    return AppStatus(
        id=app.id,
        label=app.label,
        project=project,
        state=str(app.state),
        url=f"{app.domain}{app.path or '/'}" if app.domain else "",
        version=app.version or "",
        up=usage.up,
        cpu_cores=usage.cpu_cores,
        memory_bytes=usage.memory_bytes,
        disk_bytes=usage.disk_bytes,
        database_bytes=usage.database_bytes,
        problems=app.problems,
    )


def _project(name: str, config: Config, observation: Observation, quotas: tuple[QuotaStatus, ...]) -> ProjectStatus:
    project, usage = config.projects[name], observation.usage.projects.get(name) or ProjectUsage(name)
    return ProjectStatus(
        name=name,
        title=project.title or name,
        kind=project.kind,
        apps=tuple(app.id for app in observation.colocation.apps_of(name)),
        adminsys=project.adminsys,
        cpu_cores=usage.cpu_cores,
        memory_bytes=usage.memory_bytes,
        disk_bytes=usage.disk_bytes,
        database_bytes=usage.database_bytes,
        quotas=quotas,
    )


def _fair_use(config: Config, observation: Observation) -> tuple[FairUseStatus, ...]:
    if config.enforce is None or not config.enforce.slices:
        return ()
    shares = {name: project.share for name, project in config.projects.items()}
    return tuple(
        FairUseStatus(each.project, each.part, each.used, each.waited, each.because_of)
        for each in fair_use(observation.readings, shares)
    )


def _backups(config: Config, connection: sqlite3.Connection) -> list[BackupStatus]:
    drills = {
        (one.app, one.host): DrillStatus(
            one.last_try_at, one.last_try_ok, one.failure, one.whole_at, one.ratio, one.seconds
        )
        for one in drill_store.drills(connection)
    }
    return [
        BackupStatus(
            app=item.app,
            host=item.host,
            last_try_at=item.last_try_at,
            ok=item.last_try_ok,
            failure=item.failure,
            last_success_at=item.last_success_at,
            last_proven_at=item.last_proven_at,
            archive=item.archive,
            archive_bytes=item.archive_bytes,
            drill=drills.get((item.app, item.host)),
        )
        for item in backup_store.standings(connection)
        if item.host in config.backup.hosts
    ]


def _maintenance(one: Maintenance) -> MaintenanceStatus:
    return MaintenanceStatus(
        id=one.id,
        title=one.title,
        about=one.app or one.project,
        phase="overrun" if one.overrun and one.phase is Phase.RUNNING else str(one.phase),
        begins_at=one.begins_at,
        ends_at=one.ends_at,
        started_at=one.started_at,
        ended_at=one.ended_at,
        by=one.by,
        broken=one.broken,
    )


def _silence(silence: silences.Silence) -> SilenceStatus:
    return SilenceStatus(silence.id, silence.begins_at, silence.ends_at, silence.by, silence.scope, silence.why)


def open_by_severity(incidents: Sequence[IncidentStatus]) -> Mapping[str, int]:
    """How many incidents are open, for every severity, also those with none."""
    counts = dict.fromkeys(("info", "warning", "critical"), 0)
    for incident in incidents:
        if incident.resolved_at is None:
            counts[incident.severity] += 1
    return counts
