"""Whether each app runs: the worst of its units, in one question to systemd. Says nothing when systemd does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.shares import project_label, shares_of
from coloc import services
from coloc.model import App, Colocation
from coloc.services import Unit

Show = Callable[[Iterable[str]], Mapping[str, Unit]]


class ServicesCollector:
    """coloc_app_up and coloc_project_up."""

    name = "services"
    deadline_seconds = 10.0

    def __init__(self, *, interval_seconds: float = 15.0, show: Show = services.show) -> None:
        self.interval_seconds = interval_seconds
        self._show = show

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Ask for all units at once."""
        units = {app_id: units_of(app) for app_id, app in sorted(colocation.inventory.apps.items())}
        names = sorted({unit for wanted in units.values() for unit in wanted})
        known = self._show(names) if names else {}
        ups = {app_id: worst([known[unit].up for unit in wanted if unit in known]) for app_id, wanted in units.items()}
        apps = GaugeMetricFamily(
            "coloc_app_up", "1 when the units of the app run, 0 when one does not.", labels=["app", "project"]
        )
        projects: dict[str, bool] = {}
        for app_id, up in ups.items():
            if up is None:
                continue
            apps.add_metric([app_id, project_label(colocation, app_id)], float(up))
            for project in shares_of(colocation, app_id):
                projects[project] = projects.get(project, True) and up
        yield apps
        family = GaugeMetricFamily("coloc_project_up", "1 when all its apps run.", labels=["project"])
        for project, up in sorted(projects.items()):
            family.add_metric([project], float(up))
        yield family


def units_of(app: App) -> tuple[str, ...]:
    """The units that an app needs: its own, or those of php-fpm when it has none."""
    return app.services or php_units(app)


def php_units(app: App) -> tuple[str, ...]:
    """The services of php-fpm that hold the app's pools, by the folder of their files (/etc/php/8.2/fpm/pool.d)."""
    versions = dict.fromkeys(
        parts[3] for pool in app.php_pools if (parts := pool.file.split("/"))[1:3] == ["etc", "php"]
    )
    if not versions and app.php_pools and app.php_version:
        versions = {app.php_version: None}
    return tuple(f"php{version}-fpm" for version in versions)


def worst(ups: Iterable[bool | None]) -> bool | None:
    """False when one is down; None when nothing is known, or nothing bad but not everything."""
    found = list(ups)
    if False in found:
        return False
    return None if not found or None in found else True
