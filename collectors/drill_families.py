"""What is known of drills and of checks of repositories, as metrics. Plain values in, families out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

_PAIR = ["app", "project", "host"]


@dataclass(frozen=True, slots=True)
class DrillFact:
    """The last drill of an app at a host. ratio: what part the last good one proved."""

    app: str
    project: str
    host: str
    ok: bool
    whole_at: datetime | None
    ratio: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class DrillAwaitedFact:
    """Since when a whole drill of an app is awaited at a host."""

    app: str
    project: str
    host: str
    since: datetime


@dataclass(frozen=True, slots=True)
class CheckFact:
    """The last check of a host's repository, and when a whole turn of it was over."""

    host: str
    ok: bool
    complete_at: datetime | None


def drill_families(drills: Iterable[DrillFact], waits: Iterable[DrillAwaitedFact]) -> list[Metric]:
    """When each app was proven whole by a drill, how the last one went, and since when the next is awaited."""
    whole, ok, ratio, seconds, since = (
        GaugeMetricFamily(f"coloc_backup_drill_{name}", words, labels=_PAIR)
        for name, words in (
            ("last_success_timestamp_seconds", "The last drill that proved a whole backup."),
            ("last_try_success", "1 when the last drill, of a whole or a part, went well."),
            ("proven_ratio", "What part of the backup the last good drill proved; 1 is the whole."),
            ("duration_seconds", "How long the last drill took."),
            ("awaited_since_timestamp_seconds", "The last whole drill, or when the app was first seen."),
        )
    )
    for row in drills:
        labels = [row.app, row.project, row.host]
        ok.add_metric(labels, float(row.ok))
        seconds.add_metric(labels, row.seconds)
        if row.whole_at is not None:
            whole.add_metric(labels, row.whole_at.timestamp())
        if row.ratio is not None:
            ratio.add_metric(labels, row.ratio)
    for wait in waits:
        since.add_metric([wait.app, wait.project, wait.host], wait.since.timestamp())
    return [whole, ok, ratio, seconds, since]


def check_families(rows: Iterable[CheckFact]) -> list[Metric]:
    """How the slices of `borg check` went."""
    ok = GaugeMetricFamily("coloc_backup_check_success", "1 when the last check found nothing.", labels=["host"])
    complete = GaugeMetricFamily(
        "coloc_backup_check_complete_timestamp_seconds",
        "When the last whole turn of checks was over.",
        labels=["host"],
    )
    for row in rows:
        ok.add_metric([row.host], float(row.ok))
        if row.complete_at is not None:
            complete.add_metric([row.host], row.complete_at.timestamp())
    return [ok, complete]
