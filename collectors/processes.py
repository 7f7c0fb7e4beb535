"""What the processes of each app use: CPU, memory, processes, threads. Looks every few seconds and never sums RSS.

Following processes is `process_table`'s, attribution `ownership`'s, CPU sums `cpu_ledger`'s; here they become metrics.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.cpu_ledger import MODES, CpuLedger, Look
from collectors.exit_client import Ask
from collectors.machine import MachineFiles
from collectors.ownership import Ownership, UserIds, ownership
from collectors.process_table import Known, ProcessTable
from collectors.procfs import ProcFiles
from collectors.shares import app_and_project, project_label, project_sums, shares_of
from collectors.short_lived import ShortLived, seconds_since_boot
from coloc.model import SYSTEM, Colocation

_FIRST_LOOK_SECONDS = 5.0


class ProcessesCollector:
    """CPU seconds, memory, processes and threads of each app, each project and the rest of the machine."""

    name = "processes"
    deadline_seconds = 10.0

    def __init__(
        self,
        user_ids: UserIds,
        *,
        interval_seconds: float = 5.0,
        files: ProcFiles | None = None,
        machine: MachineFiles | None = None,
        ticks_per_second: int | None = None,
        page_bytes: int | None = None,
        owner: Callable[[int], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        exits: Ask = lambda: None,
        since_boot: Callable[[], float] = seconds_since_boot,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._user_ids = user_ids
        self._ticks = ticks_per_second or os.sysconf("SC_CLK_TCK")
        self._page = page_bytes or os.sysconf("SC_PAGE_SIZE")
        self._table = ProcessTable(
            files or ProcFiles(), machine or MachineFiles(), ticks_per_second=self._ticks, owner=owner, clock=clock
        )
        self._short_lived = ShortLived(exits, ticks_per_second=self._ticks, since_boot=since_boot)
        self._ledger = CpuLedger()
        self._projects: dict[str, list[float]] = {}
        self._colocation: Colocation | None = None
        self._owned = Ownership({}, {}, frozenset())
        self._has_looked = threading.Event()

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Look at all processes once."""
        if colocation is not self._colocation:
            self._owned, self._colocation = ownership(colocation, self._user_ids), colocation
            self._table.own(self._owned)
        self._charge(self._short_lived.look(self._table, self._owned), colocation)
        self._has_looked.set()
        shown = self._shown()
        yield from self._cpu(colocation, shown)
        yield from self._short_lived.families(colocation, shown)
        yield from self._gauges(colocation, shown)
        yield GaugeMetricFamily(
            "coloc_processes_unreadable", "Processes that the agent may not read.", value=self._table.unreadable
        )

    def known(self) -> list[Known]:
        """The processes of the last look, for another collector's thread; it waits a little for the first look."""
        self._has_looked.wait(_FIRST_LOOK_SECONDS)
        return self._table.known()

    def limits(self) -> tuple[str, ...]:
        """What cannot be seen from here, one sentence each."""
        found = []
        if self._table.hidden:
            found.append("processes of other users are hidden: run as root, or give the agent CAP_SYS_PTRACE")
        elif self._table.unreadable:
            found.append(f"{self._table.unreadable} processes cannot be read and are counted nowhere")
        unseen = sorted((self._colocation.inventory.apps.keys() if self._colocation else set()) - self._owned.visible)
        if unseen:
            found.append(f"no unit or user tells the processes of: {', '.join(unseen[:10])}")
        return (*found, *self._short_lived.limits())

    def close(self) -> None:
        """Close every kept descriptor; the next look is a first one, which charges nothing."""
        self._table.close()
        self._short_lived.pause()
        self._ledger.pause()

    def _charge(self, look: Look, colocation: Colocation) -> None:
        for app, ticks in self._ledger.add(look).items():
            for project, share in shares_of(colocation, app).items():
                sums = self._projects.setdefault(project, [0.0, 0.0])
                for mode, more in enumerate(ticks):
                    sums[mode] += more * share
        for app in self._ledger.apps.keys() - colocation.inventory.apps.keys() - {SYSTEM}:
            del self._ledger.apps[app]

    def _shown(self) -> tuple[str, ...]:
        """The apps that have figures, and the rest of the machine; only what we see where others are hidden."""
        if self._table.hidden:
            return tuple(sorted({process.used.app for process in self._table.processes() if process.used.app}))
        return (*sorted(self._owned.visible), SYSTEM)

    def _cpu(self, colocation: Colocation, shown: tuple[str, ...]) -> Iterator[Metric]:
        apps = CounterMetricFamily(
            "coloc_app_cpu_seconds", "CPU time used since the agent started.", labels=["app", "project", "mode"]
        )
        for app in shown:
            for mode, ticks in zip(MODES, self._ledger.apps.get(app, (0.0, 0.0)), strict=True):
                apps.add_metric([app, project_label(colocation, app), mode], ticks / self._ticks)
        yield apps
        projects = CounterMetricFamily(
            "coloc_project_cpu_seconds",
            "CPU time used since the agent started; shared apps by their shares.",
            labels=["project", "mode"],
        )
        for project in project_sums(colocation, dict.fromkeys(shown, 0.0), self._owned.visible):
            for mode, ticks in zip(MODES, self._projects.get(project, (0.0, 0.0)), strict=True):
                projects.add_metric([project, mode], ticks / self._ticks)
        yield projects

    def _gauges(self, colocation: Colocation, shown: tuple[str, ...]) -> Iterator[Metric]:
        memory, processes, threads = (dict.fromkeys(shown, 0.0) for _ in range(3))
        for process in self._table.processes():
            app = process.used.app or SYSTEM
            if app in processes:
                memory[app] += process.anonymous_pages * self._page + process.swap_bytes
                processes[app] += 1
                threads[app] += process.threads
        for name, what, values in (
            ("memory_bytes", "Anonymous memory, in memory and swapped out", memory),
            ("processes", "Processes", processes),
            ("threads", "Threads of the processes", threads),
        ):
            yield from app_and_project(colocation, name, what, values, self._owned.visible)
