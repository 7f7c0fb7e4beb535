"""The points of the charter as metrics: how many, never of whom. Plain values in, families out."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.shares import project_label
from coloc.model import Colocation


def charter_families(
    counts: Mapping[str, tuple[int, int]],
    apps: Mapping[str, int],
    projects: Mapping[str, int],
    colocation: Colocation,
) -> list[Metric]:
    """`counts`: check → points that are not kept, points that are relaxed. Then the bus factors."""
    points = GaugeMetricFamily("coloc_charter_points", "Points of the charter that are not kept.", labels=["check"])
    relaxed = GaugeMetricFamily("coloc_charter_relaxed", "Points of the charter that are relaxed.", labels=["check"])
    for check, (number, eased) in counts.items():
        points.add_metric([check], number)
        relaxed.add_metric([check], eased)
    of_apps = GaugeMetricFamily(
        "coloc_charter_app_bus_factor", "People who can look after the app.", labels=["app", "project"]
    )
    for app, number in apps.items():
        of_apps.add_metric([app, project_label(colocation, app)], number)
    of_projects = GaugeMetricFamily(
        "coloc_charter_project_bus_factor", "People who can look after the project.", labels=["project"]
    )
    for project, number in projects.items():
        of_projects.add_metric([project], number)
    return [points, relaxed, of_apps, of_projects]
