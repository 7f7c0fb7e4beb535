"""Bytes of each app's databases. Asks sizes only; a server that does not answer costs its own databases' series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import clean, fold
from collectors.paths import below
from collectors.shares import project_label, project_sums
from coloc.databases.sizes import Sizes
from coloc.errors import ColocError
from coloc.model import App, Colocation, Database, DatabaseKind

_MOST_PER_APP = 20
_BESIDE_SQLITE = ("-wal", "-journal")


class DatabasesCollector:
    """The size of each database of each app."""

    name = "databases"
    deadline_seconds = 30.0

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 60.0,
        sizes: Mapping[DatabaseKind, Sizes] | None = None,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._root = root
        self._sizes = sizes or {}
        self._problems: dict[DatabaseKind, str] = {}
        self._asked: set[DatabaseKind] = set()

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Ask each kind of server once."""
        found = self._all_sizes({database for app in colocation.inventory.apps.values() for database in app.databases})
        yield from _sizes_of_apps(colocation, found)
        answers = GaugeMetricFamily(
            "coloc_database_server_success", "1 when the server told the sizes.", labels=["kind"]
        )
        for kind in self._sizes:
            if kind in self._asked:
                answers.add_metric([str(kind)], float(kind not in self._problems))
        yield answers

    def limits(self) -> tuple[str, ...]:
        """Servers that did not answer at the last look."""
        return tuple(self._problems.values())

    def _all_sizes(self, databases: set[Database]) -> Mapping[Database, int]:
        found: dict[Database, int] = {}
        self._problems, self._asked = {}, set()
        for kind in DatabaseKind:
            asked = sorted(database for database in databases if database.kind is kind)
            if kind is DatabaseKind.SQLITE:
                found |= sqlite_sizes(self._root, asked)
            elif asked and kind in self._sizes:
                self._asked.add(kind)
                try:
                    found |= self._sizes[kind](asked)
                except ColocError as error:
                    self._problems[kind] = error.sentence()
        return found


def sqlite_sizes(root: Path, databases: Iterable[Database]) -> dict[Database, int]:
    """The size of each SQLite file with what was not merged into it yet; files that are not there are left out."""
    found = {}
    for database in databases:
        path = below(root, database.name)
        with suppress(OSError):
            found[database] = path.stat().st_size
            for suffix in _BESIDE_SQLITE:
                with suppress(OSError):
                    found[database] += path.with_name(path.name + suffix).stat().st_size
    return found


def label_of(app: App, database: Database) -> str:
    """How a database is called: its name; an SQLite file by its place in the app's folder."""
    if database.kind is DatabaseKind.SQLITE:
        path = PurePosixPath(database.name)
        folders = [folder for folder in app.folders if path.is_relative_to(folder)]
        return clean(str(path.relative_to(max(folders, key=len))) if folders else path.name)
    return clean(database.name)


def _sizes_of_apps(colocation: Colocation, found: Mapping[Database, int]) -> Iterator[Metric]:
    labels = ["app", "project", "database"]
    family = GaugeMetricFamily("coloc_app_database_bytes", "Size of a database.", labels=labels)
    sums: dict[str, float] = {}
    folded = 0
    for app_id, app in sorted(colocation.inventory.apps.items()):
        known = [database for database in app.databases if database in found]
        sizes = {label_of(app, database): float(found[database]) for database in known}
        folded += max(0, len(sizes) - _MOST_PER_APP)
        for name, size in fold(sizes, _MOST_PER_APP).items():
            family.add_metric([app_id, project_label(colocation, app_id), name], size)
        if known and len(known) == len(app.databases):
            sums[app_id] = sum(sizes.values())
    yield family
    projects = GaugeMetricFamily(
        "coloc_project_database_bytes", "Size of the databases; shared apps by shares.", labels=["project"]
    )
    needed = [app_id for app_id, app in colocation.inventory.apps.items() if app.databases]
    for project, size in project_sums(colocation, sums, needed).items():
        projects.add_metric([project], size)
    yield projects
    yield GaugeMetricFamily("coloc_databases_folded", "Databases that are summed up as _other.", value=folded)
