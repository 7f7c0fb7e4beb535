"""What the agent knows of backup hosts' room, of backups that shrank and of the escrow, as metrics. Plain values in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True)
class RoomFact:
    """A host's room; None where it is not known."""

    host: str
    free_bytes: int | None
    used_bytes: int | None
    used_ratio: float | None


def host_families(
    rooms: Iterable[RoomFact], sizes: Mapping[tuple[str, str, str], float], *, escrowed: bool | None
) -> list[Metric]:
    """sizes: (app, project, host) → the last backup's size as a share of those before."""
    free = GaugeMetricFamily(
        "coloc_backup_host_free_bytes", "Free on the disk of a host, where it can be seen.", labels=["host"]
    )
    used = GaugeMetricFamily("coloc_backup_host_used_bytes", "What our repository holds there.", labels=["host"])
    ratio = GaugeMetricFamily(
        "coloc_backup_host_used_ratio", "The same, of the quota that coloc.yml names.", labels=["host"]
    )
    for row in rooms:
        for family, value in ((free, row.free_bytes), (used, row.used_bytes), (ratio, row.used_ratio)):
            if value is not None:
                family.add_metric([row.host], value)
    shrunk = GaugeMetricFamily(
        "coloc_backup_size_ratio",
        "The last good backup's size, of the largest of the three before.",
        labels=["app", "project", "host"],
    )
    for labels, value in sorted(sizes.items()):
        shrunk.add_metric(list(labels), value)
    escrow = GaugeMetricFamily("coloc_backup_key_escrowed", "1 when what opens the backups is in other hands too.")
    if escrowed is not None:
        escrow.add_metric([], float(escrowed))
    return [free, used, ratio, shrunk, escrow]


def _of_host(name: str, what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, labels=["host"])
