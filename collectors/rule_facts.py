"""What the agent's rules look at, as metrics, so that Prometheus can judge by the same; and whom to talk to.

Plain values in, families out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import clean

_BACKUP = ["app", "project", "host"]


@dataclass(frozen=True, slots=True)
class ProjectFact:
    """A project and the names of those who look after it, as coloc.yml writes them."""

    name: str
    title: str
    adminsys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TryFact:
    """Whether the last backup of an app at a host went well."""

    app: str
    project: str
    host: str
    ok: bool


@dataclass(frozen=True, slots=True)
class AwaitedFact:
    """Since when a good backup of an app is awaited at a host."""

    app: str
    project: str
    host: str
    since: datetime


@dataclass(frozen=True, slots=True)
class StepFact:
    """Where a project stands on the ladder of a quota: 0 fine, 1 warned, 2 throttled, 3 bounded."""

    project: str
    resource: str
    step: int


@dataclass(frozen=True, slots=True)
class MaintenanceFact:
    """A maintenance that runs, and when it should end; app and project "" are the whole server."""

    number: int
    app: str
    project: str
    ends_at: datetime


def maintenance_families(rows: Iterable[MaintenanceFact]) -> list[Metric]:
    """What is worked on now."""
    family = GaugeMetricFamily(
        "coloc_maintenance_planned_end_timestamp_seconds",
        "When a maintenance that runs should end.",
        labels=["maintenance", "app", "project"],
    )
    for row in rows:
        family.add_metric([str(row.number), clean(row.app), clean(row.project)], row.ends_at.timestamp())
    return [family]


def project_families(rows: Iterable[ProjectFact]) -> list[Metric]:
    """Who each project is."""
    family = InfoMetricFamily("coloc_project", "Whom to talk to.", labels=["project", "title", "adminsys"])
    for row in rows:
        family.add_metric([row.name, clean(row.title), clean(", ".join(row.adminsys))], {})
    return [family]


def level_families(rows: Iterable[tuple[str, str, int]]) -> list[Metric]:
    """The level of service of each (app, project): 0 best effort, 1 standard, 2 high."""
    family = GaugeMetricFamily(
        "coloc_app_service_level", "Level of service: 0 best effort, 1 standard, 2 high.", labels=["app", "project"]
    )
    for app, project, level in rows:
        family.add_metric([app, project], level)
    return [family]


def try_families(tries: Iterable[TryFact], waits: Iterable[AwaitedFact], hosts: Mapping[str, bool]) -> list[Metric]:
    """How the last backups went, since when the next are awaited, and which hosts answered."""
    success = GaugeMetricFamily("coloc_backup_last_try_success", "1 when the last backup went well.", labels=_BACKUP)
    for row in tries:
        success.add_metric([row.app, row.project, row.host], float(row.ok))
    since = GaugeMetricFamily(
        "coloc_backup_awaited_since_timestamp_seconds",
        "The last good backup, or when the app was first seen.",
        labels=_BACKUP,
    )
    for wait in waits:
        since.add_metric([wait.app, wait.project, wait.host], wait.since.timestamp())
    up = GaugeMetricFamily("coloc_backup_host_up", "1 when the host answered at the last run.", labels=["host"])
    for host, answered in sorted(hosts.items()):
        up.add_metric([host], float(answered))
    return [success, since, up]


def step_families(rows: Iterable[StepFact]) -> list[Metric]:
    """Where projects stand on the ladder."""
    family = GaugeMetricFamily(
        "coloc_quota_step", "0 fine, 1 warned, 2 throttled, 3 bounded (simulation).", labels=["project", "resource"]
    )
    for row in rows:
        family.add_metric([row.project, row.resource], row.step)
    return [family]


def config_families(*, is_good: bool) -> list[Metric]:
    """Whether coloc.yml, as it is on the disk, is what the agent goes by."""
    family = GaugeMetricFamily("coloc_config_last_reload_success", "0 when coloc.yml was changed and cannot be used.")
    family.add_metric([], float(is_good))
    return [family]
