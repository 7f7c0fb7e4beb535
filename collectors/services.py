"""Whether each app runs: its units, and the worst of them, in one question to systemd. Silent when it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import OTHER, clean
from collectors.shares import project_label, shares_of
from coloc import services
from coloc.model import App, Colocation
from coloc.services import Unit

MOST_UNITS = 4  # of one app that have series of their own
_STATES = {"active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance", "refreshing"}

# What apps rest on, where it is installed and is to run; with php-fpm of each version, and PostgreSQL's clusters.
SERVICES = (
    "nginx",
    "mariadb",
    "redis-server",
    "postfix",
    "dovecot",
    "slapd",
    "ssh",
    "yunohost-api",
    "yunohost-portal-api",
)
Show = Callable[[Iterable[str]], Mapping[str, Unit]]


class ServicesCollector:
    """coloc_app_up and coloc_project_up, and the state and the restarts of the units that are an app's own."""

    name = "services"
    deadline_seconds = 10.0

    def __init__(self, *, interval_seconds: float = 15.0, show: Show = services.show, root: Path | None = None) -> None:
        """`root`: where this machine's own services are looked for; None: they are not looked at."""
        self.interval_seconds = interval_seconds
        self._show, self._root = show, root
        self.followed: frozenset[str] = frozenset()  # the full names of the units that the last look asked for

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Ask for all units at once."""
        units = {app_id: units_of(app) for app_id, app in sorted(colocation.inventory.apps.items())}
        shared = self._shared(colocation)
        names = sorted({*shared, *(unit for wanted in units.values() for unit in wanted)})
        self.followed = frozenset(services.full_name(name) for name in names)
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
        yield from unit_families(colocation, known)
        if shared:
            yield from service_families({unit: known[unit] for unit in shared if unit in known})

    def _shared(self, colocation: Colocation) -> tuple[str, ...]:
        if self._root is None:
            return ()
        clusters = sorted((self._root / "etc/postgresql").glob("[0-9]*/*"))
        names = [*SERVICES, *(f"postgresql@{place.parent.name}-{place.name}" for place in clusters[:8])]
        names += [unit for app in colocation.inventory.apps.values() for unit in php_units(app)]
        return tuple(dict.fromkeys(names))


def service_families(known: Mapping[str, Unit]) -> Iterator[Metric]:
    """How the services are that apps share, those that are to run."""
    up = GaugeMetricFamily("coloc_service_up", "1 when a service that apps share runs, 0 when not.", labels=["unit"])
    states = GaugeMetricFamily("coloc_service_state", "1: the service is in this state.", labels=["unit", "state"])
    for name, unit in sorted(known.items()):
        if unit.is_wanted and unit.up is not None:
            up.add_metric([clean(name)], float(unit.up))
            states.add_metric([clean(name), unit.active], 1)
    yield up
    yield states


def unit_families(colocation: Colocation, known: Mapping[str, Unit]) -> Iterator[Metric]:
    """The state of each app's own units, and how often systemd started them anew; what is too many is `_other`."""
    states = GaugeMetricFamily(
        "coloc_unit_state", "1: the unit of the app is in this state.", labels=["app", "project", "unit", "state"]
    )
    restarts = CounterMetricFamily(
        "coloc_unit_restarts", "Times that systemd started a unit anew by itself.", labels=["app", "project", "unit"]
    )
    for app_id, app in sorted(colocation.inventory.apps.items()):
        found = [(unit, known[unit]) for unit in sorted(app.services) if unit in known]
        found = [(unit, state) for unit, state in found if state.active in _STATES and state.load != "not-found"]
        project = project_label(colocation, app_id)
        for unit, state in found[:MOST_UNITS]:
            states.add_metric([app_id, project, clean(unit), state.active], 1)
            restarts.add_metric([app_id, project, clean(unit)], state.restarts)
        if len(found) > MOST_UNITS:
            restarts.add_metric([app_id, project, OTHER], sum(state.restarts for _, state in found[MOST_UNITS:]))
    yield states
    yield restarts


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
