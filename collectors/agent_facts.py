"""What the agent knows by itself, as metrics: backups, quotas, incidents, names. Plain values in, families out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, UnknownMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import clean
from collectors.shares import project_label
from coloc.model import Colocation

UNITS = {"cpu": "cpus"} | dict.fromkeys(("memory", "disk", "database", "io", "network"), "bytes")  # the rest is counted


@dataclass(frozen=True, slots=True)
class BackupFact:
    """The last word on the backups of an app at a host."""

    app: str
    project: str
    host: str
    last_success_at: datetime | None
    last_proven_at: datetime | None
    archive_bytes: int | None


@dataclass(frozen=True, slots=True)
class QuotaFact:
    """A limit of a project and what it uses of the resource, both in the resource's unit."""

    project: str
    resource: str
    soft: float
    hard: float
    used: float | None


def ping_families(awaited_since: datetime, arrived: int, failed: int) -> list[Metric]:
    """How the pings of the heartbeat went."""
    awaited = GaugeMetricFamily(
        "coloc_heartbeat_awaited_since_timestamp_seconds", "The last ping that arrived, else since when one is awaited."
    )
    awaited.add_metric([], awaited_since.timestamp())
    pings = CounterMetricFamily("coloc_heartbeat_pings", "Pings since the agent began.", labels=["result"])
    pings.add_metric(["arrived"], arrived)
    pings.add_metric(["failed"], failed)
    return [awaited, pings]


def alertmanager_families(*, success: bool, taken: int, failed: int) -> list[Metric]:
    """How the posts of incidents to Alertmanager went."""
    last = GaugeMetricFamily("coloc_alertmanager_success", "1 unless the last post of incidents was not taken.")
    last.add_metric([], float(success))
    posts = CounterMetricFamily("coloc_alertmanager_posts", "Posts since the agent began.", labels=["result"])
    posts.add_metric(["taken"], taken)
    posts.add_metric(["failed"], failed)
    return [last, posts]


def foreign_alert_families(counts: Mapping[str, int]) -> list[Metric]:
    """What became of the alerts that Alertmanager told us."""
    told = CounterMetricFamily(
        "coloc_alertmanager_received", "Alerts told to us since the agent began.", labels=["result"]
    )
    for result, count in counts.items():
        told.add_metric([result], count)
    return [told]


def backup_families(rows: Iterable[BackupFact]) -> list[Metric]:
    """When each app was last backed up and proven at each host, and how large the archive is."""
    labels = ["app", "project", "host"]
    success = GaugeMetricFamily(
        "coloc_backup_last_success_timestamp_seconds", "The last backup that was read back.", labels=labels
    )
    proven = GaugeMetricFamily(
        "coloc_backup_last_proven_timestamp_seconds", "The last backup that was restored as a drill.", labels=labels
    )
    size = GaugeMetricFamily("coloc_backup_archive_bytes", "What the last backup holds.", labels=labels)
    for row in rows:
        values = [row.app, row.project, row.host]
        if row.last_success_at is not None:
            success.add_metric(values, row.last_success_at.timestamp())
        if row.last_proven_at is not None:
            proven.add_metric(values, row.last_proven_at.timestamp())
        if row.archive_bytes is not None:
            size.add_metric(values, row.archive_bytes)
    return [success, proven, size]


def quota_families(rows: Iterable[QuotaFact]) -> list[Metric]:
    """What was agreed with each project, and how much of the hard limit it uses."""
    labels = ["project", "resource", "step"]
    limits: dict[str, Metric] = {
        "bytes": GaugeMetricFamily("coloc_quota_limit_bytes", "Limit of a project, in bytes.", labels=labels),
        # A gauge may not end in _count: histograms do. Without a type it may.
        "count": UnknownMetricFamily("coloc_quota_limit_count", "Limit of a project, in pieces.", labels=labels),
        "cpus": GaugeMetricFamily("coloc_quota_limit_cpus", "Limit of a project, in processors.", labels=labels),
    }
    ratio = GaugeMetricFamily(
        "coloc_quota_used_ratio", "Use of a project over its hard limit.", labels=["project", "resource"]
    )
    for row in rows:
        family = limits[UNITS.get(row.resource, "count")]
        for step, limit in (("soft", row.soft), ("hard", row.hard)):
            where = {"project": row.project, "resource": row.resource, "step": step}
            family.add_sample(family.name, where, limit)
        if row.used is not None and row.hard > 0:
            ratio.add_metric([row.project, row.resource], row.used / row.hard)
    return [*limits.values(), ratio]


def incident_families(open_by_severity: Mapping[str, int]) -> list[Metric]:
    """How many incidents are open; give every severity, also those with none."""
    family = GaugeMetricFamily("coloc_incidents", "Open incidents.", labels=["severity"])
    for severity, number in sorted(open_by_severity.items()):
        family.add_metric([severity], number)
    return [family]


def name_families(colocation: Colocation, *, coloc: str, kind: str, version: str) -> list[Metric]:
    """Who we are, and what rarely changes about each app, to be joined with the other metrics."""
    names = InfoMetricFamily("coloc", "The colocation.", labels=["coloc", "kind"])
    names.add_metric([coloc, kind], {})
    build = InfoMetricFamily("coloc_agent_build", "The agent that measures.", labels=["version"])
    build.add_metric([version], {})
    labels = ["app", "project", "domain", "version", "packaging"]
    apps = InfoMetricFamily("coloc_app", "Facts about an app.", labels=labels)
    for app_id, app in sorted(colocation.inventory.apps.items()):
        packaging = str(app.packaging_version or "")
        facts = [clean(app.domain or ""), clean(app.version or ""), packaging]
        apps.add_metric([app_id, project_label(colocation, app_id), *facts], {})
    return [names, build, apps]
