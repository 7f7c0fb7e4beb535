"""Whether an app waits: the pressure (PSI) of the units that belong to it alone. Of shared units nobody can tell.

And whether a project waits, as a whole, where each lives in a slice of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.cgroup_tree import Growth, read_small, unit_folders
from collectors.machine import RESOURCES, parse_pressure
from collectors.ownership import Ownership, UserIds, ownership
from collectors.shares import project_label
from coloc.agreed import slice_folder, slice_name
from coloc.model import Colocation

_MICROSECONDS = 1e6


class PressureCollector:
    """coloc_app_pressure_waiting_seconds_total and coloc_project_…: three series each, whatever the number of units."""

    name = "pressure"
    deadline_seconds = 5.0

    def __init__(self, user_ids: UserIds, *, root: Path = Path("/"), interval_seconds: float = 5.0) -> None:
        self.interval_seconds = interval_seconds
        self._user_ids, self._tree = user_ids, root / "sys/fs/cgroup"
        self._growth = Growth[tuple[str, str]]()
        self._waited: dict[tuple[str, str], float] = {}
        self._slice_growth = Growth[tuple[str, str]]()
        self._slice_waited: dict[tuple[str, str], float] = {}
        self._colocation: Colocation | None = None
        self._owned = Ownership({}, {}, frozenset())

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Read three small files of each unit that is one app's."""
        if colocation is not self._colocation:
            self._owned, self._colocation = ownership(colocation, self._user_ids), colocation
            self._forget()
        for (unit, resource), more in self._growth.of(self._read()).items():
            key = self._owned.unit_app[unit], resource
            self._waited[key] = self._waited.get(key, 0.0) + more
        family = CounterMetricFamily(
            "coloc_app_pressure_waiting_seconds",
            "Time some task of a unit of the app waited, since the agent started.",
            labels=["app", "project", "resource"],
        )
        for (app, resource), microseconds in sorted(self._waited.items()):
            family.add_metric([app, project_label(colocation, app), resource], microseconds / _MICROSECONDS)
        yield family
        yield self._projects(colocation)

    def _projects(self, colocation: Colocation) -> Metric:
        found = {
            (project, resource): total
            for project in colocation.projects
            for resource, total in _waiting(f"{self._tree}/{slice_folder(slice_name(project))}")
        }
        for key, more in self._slice_growth.of(found).items():
            self._slice_waited[key] = self._slice_waited.get(key, 0.0) + more
        family = CounterMetricFamily(
            "coloc_project_pressure_waiting_seconds",
            "Time some task of the project's slice waited, since the agent started.",
            labels=["project", "resource"],
        )
        for (project, resource), microseconds in sorted(self._slice_waited.items()):
            if project in colocation.projects:
                family.add_metric([project, resource], microseconds / _MICROSECONDS)
        return family

    def _read(self) -> dict[tuple[str, str], int]:
        if not self._owned.unit_app:
            return {}
        folders = unit_folders(self._tree)
        found = dict[tuple[str, str], int]()
        for unit in self._owned.unit_app.keys() & folders.keys():
            found |= {(unit, resource): total for resource, total in _waiting(folders[unit])}
        return found

    def _forget(self) -> None:
        owners = set(self._owned.unit_app.values())
        self._waited = {key: value for key, value in self._waited.items() if key[0] in owners}
        self._growth.keep((unit, resource) for unit in self._owned.unit_app for resource in RESOURCES)


def _waiting(folder: str) -> Iterator[tuple[str, int]]:
    """Resource and microseconds that some task of a group waited; nothing for a group that is not there."""
    for resource in RESOURCES:
        totals = parse_pressure(read_small(folder, f"{resource}.pressure"))
        if "some" in totals:
            yield resource, totals["some"]
