"""Whom the kernel killed for want of memory, per app. Each kill is counted from one source only, never from two.

The kernel's log tells all of them, also workers of shared units (by their account) and units that died with them.
Where there is none, the counters of the units that belong to one app alone tell what they can.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.cgroup_tree import Growth, parse_numbers, read_small, unit_folders
from collectors.kernel_log import KernelLog, KillReader
from collectors.ownership import Ownership, UserIds, ownership
from collectors.shares import project_label
from coloc.model import SYSTEM, Colocation


class OomKillsCollector:
    """coloc_app_oom_kills_total, since the agent started."""

    name = "oom_kills"
    deadline_seconds = 5.0

    def __init__(
        self,
        user_ids: UserIds,
        *,
        root: Path = Path("/"),
        interval_seconds: float = 5.0,
        log: KernelLog | None = None,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._user_ids, self._tree = user_ids, root / "sys/fs/cgroup"
        self._log, self._reader = log or KernelLog(root / "var/log/kern.log"), KillReader()
        self._growth = Growth[str]()
        self._kills: dict[str, int] = {}
        self._refused = False
        self._colocation: Colocation | None = None
        self._owned = Ownership({}, {}, frozenset())

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Read what the log has more, and the units' own counters."""
        if colocation is not self._colocation:
            self._owned, self._colocation = ownership(colocation, self._user_ids), colocation
            self._growth.keep(self._owned.unit_app)
            self._kills = {app: kills for app, kills in self._kills.items() if app in self._owned.visible | {SYSTEM}}
        found = self._reader.read(self._lines())
        if self._log.is_there:
            counted = [(self._owned.app_of(kill.cgroup, kill.uid) or SYSTEM, 1) for kill in found]
            counted += [(app, 0) for app in (*self._owned.visible, SYSTEM)]
        else:
            counted = [(self._owned.unit_app[unit], kills) for unit, kills in self._growth.of(self._events()).items()]
        for app, kills in counted:
            self._kills[app] = self._kills.get(app, 0) + kills
        family = CounterMetricFamily(
            "coloc_app_oom_kills",
            "Processes that the kernel killed for want of memory, since the agent started.",
            labels=["app", "project"],
        )
        for app, kills in sorted(self._kills.items()):
            family.add_metric([app, project_label(colocation, app)], kills)
        yield family

    def limits(self) -> tuple[str, ...]:
        """What cannot be seen from here."""
        return ("the kernel's log may not be read: who was killed in a shared unit is not told",) * self._refused

    def close(self) -> None:
        """Give the log's descriptor back."""
        self._log.close()

    def _lines(self) -> list[bytes]:
        try:
            lines = self._log.lines()
        except PermissionError:
            self._refused = True
            return []
        self._refused = False
        return lines

    def _events(self) -> dict[str, int]:
        if not self._owned.unit_app:
            return {}
        folders = unit_folders(self._tree)
        found = {}
        for unit in self._owned.unit_app.keys() & folders.keys():
            kills = parse_numbers(read_small(folders[unit], "memory.events")).get("oom_kill")
            if kills is not None:
                found[unit] = kills
        return found
