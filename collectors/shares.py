"""From apps to projects: an app of several projects is borne by each according to its share. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from coloc.model import NO_PROJECT, SYSTEM, Colocation


def project_label(colocation: Colocation, app: str) -> str:
    """The `project` label of an app, and of what belongs to no app."""
    return SYSTEM if app == SYSTEM else colocation.project_of(app)


def shares_of(colocation: Colocation, app: str) -> Mapping[str, float]:
    """Which projects bear an app, and how much of it."""
    if app == SYSTEM:
        return {SYSTEM: 1.0}
    return colocation.shares.get(app) or {NO_PROJECT: 1.0}


def project_sums(colocation: Colocation, values: Mapping[str, float], needed: Iterable[str] = ()) -> dict[str, float]:
    """The projects' sums of the apps' values. A project that bears an app of `needed` without a value has no sum."""
    sums: dict[str, float] = {}
    for app, value in values.items():
        for project, share in shares_of(colocation, app).items():
            sums[project] = sums.get(project, 0.0) + value * share
    for app in set(needed) - values.keys():
        for project in shares_of(colocation, app):
            sums.pop(project, None)
    return dict(sorted(sums.items()))


def app_and_project(
    colocation: Colocation, name: str, what: str, values: Mapping[str, float], needed: Collection[str] = ()
) -> Iterator[Metric]:
    """The two families of one figure: coloc_app_<name>, and coloc_project_<name> with its sums."""
    apps = GaugeMetricFamily(f"coloc_app_{name}", f"{what}.", labels=["app", "project"])
    for app, value in values.items():
        apps.add_metric([app, project_label(colocation, app)], value)
    yield apps
    projects = GaugeMetricFamily(f"coloc_project_{name}", f"{what}; shared apps by shares.", labels=["project"])
    for project, value in project_sums(colocation, values, needed).items():
        projects.add_metric([project], value)
    yield projects
