"""What the processes of each app use: CPU, memory, processes, threads. Looks every few seconds and never sums RSS.

Attribution is `ownership`'s, the sums are `cpu_ledger`'s; here processes are followed from look to look.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.cpu_ledger import MODES, CpuLedger, Look, Used
from collectors.machine import MachineFiles, parse_cpu, parse_meminfo
from collectors.ownership import Ownership, UserIds, ownership
from collectors.procfs import (
    OpenProcess,
    ProcFiles,
    is_kernel_thread,
    parse_cgroup,
    parse_stat,
    parse_statm,
    parse_swap,
)
from collectors.shares import project_label, project_sums, shares_of
from coloc.model import SYSTEM, Colocation

_OWNER_EVERY = 12  # looks: a worker changes its user just after its birth, seldom later
_EVERYBODY = 1  # pid 1: who does not see it does not see other users' processes


@dataclass(slots=True)
class Followed:
    """A process that we follow; `raw` and `raw_memory` are its files at the last look, to skip what did not change."""

    open: OpenProcess
    start: int
    used: Used
    raw: bytes
    cgroup: str = ""
    uid: int = 0
    looks: int = 0
    threads: int = 1
    raw_memory: bytes = b""
    anonymous_pages: int = 0
    swap_bytes: int = 0


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
        owner: Callable[[int], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._user_ids = user_ids
        self._files = files or ProcFiles()
        self._machine = machine or MachineFiles()
        self._ticks = ticks_per_second or os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._owner = owner or self._files.owner
        self._followed: dict[int, Followed] = {}
        self._kernel: set[int] = set()
        self._ledger = CpuLedger()
        self._projects: dict[str, list[float]] = {}
        self._colocation: Colocation | None = None
        self._owned = Ownership({}, {}, frozenset())
        self._clock = clock
        self._last_look: float | None = None
        self._unreadable = 0
        self._hidden = False

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Look at all processes once."""
        if colocation is not self._colocation:
            self._owned, self._colocation = ownership(colocation, self._user_ids), colocation
            for process in self._followed.values():
                process.used.app = self._owned.app_of(process.cgroup, process.uid)
        self._charge(self._look(), colocation)
        yield from self._cpu(colocation)
        yield from self._gauges(colocation)

    def limits(self) -> tuple[str, ...]:
        """What cannot be seen from here, one sentence each."""
        found = []
        if self._hidden:
            found.append("processes of other users are hidden: run as root, or give the agent CAP_SYS_PTRACE")
        if self._unreadable:
            found.append(f"{self._unreadable} processes cannot be read and are counted nowhere")
        unseen = sorted((self._colocation.inventory.apps.keys() if self._colocation else set()) - self._owned.visible)
        if unseen:
            found.append(f"no unit or user tells the processes of: {', '.join(unseen[:10])}")
        return tuple(found)

    def close(self) -> None:
        """Close every kept descriptor."""
        for process in self._followed.values():
            self._files.forget(process.open)
        self._followed.clear()

    def _look(self) -> Look:
        pids = self._files.pids()
        self._unreadable, self._hidden = 0, _EVERYBODY not in pids
        self._kernel.intersection_update(pids)
        swapping = parse_meminfo(self._machine.read("meminfo")).swapped
        stayed: list[tuple[Used, Used]] = []
        gone = [self._bury(pid) for pid in self._followed.keys() - set(pids)]
        born = []
        for pid in pids:
            if pid in self._kernel:
                continue
            process = self._followed.get(pid)
            if process is not None and not self._follow(process, stayed, swapping):
                gone.append(self._bury(pid))
                process = None
            if process is None:
                fresh = self._meet(pid)
                if fresh is not None:
                    born.append(fresh.used)
        now = self._clock()
        ticks = (now - self._last_look) * self._ticks if self._last_look is not None else 0.0
        self._last_look = now
        return Look(stayed, born, gone, parse_cpu(self._machine.read("stat")).user_and_system, ticks)

    def _follow(self, process: Followed, stayed: list[tuple[Used, Used]], swapping: bool) -> bool:
        """Look again at a known process; False when it ended or its pid is another process's now."""
        try:
            raw = process.open.stat()
            if raw != process.raw:
                stat = parse_stat(raw)
                if stat is None or stat.start != process.start:
                    return False
                process.raw, process.threads = raw, stat.threads
                before = process.used
                own, kids = (stat.user, stat.system), (stat.kids_user, stat.kids_system)
                process.used = Used(before.pid, stat.parent, own, kids, before.app)
                if own != before.own or kids != before.kids:
                    stayed.append((before, process.used))
            self._read_memory(process, swapping)
            process.looks += 1
            if process.looks == 1 or (process.looks + process.used.pid) % _OWNER_EVERY == 0:
                self._read_owner(process)
        except OSError:
            return False
        return True

    def _meet(self, pid: int) -> Followed | None:
        try:
            opened = self._files.open(pid)
        except (FileNotFoundError, ProcessLookupError):
            return None
        except OSError:
            self._unreadable += 1
            return None
        try:
            raw = opened.stat()
            stat = parse_stat(raw)
            if stat is None:
                raise OSError(f"the stat of {pid} cannot be read")
            if is_kernel_thread(pid, stat.parent):
                self._kernel.add(pid)
                self._files.forget(opened)
                return None
            own, kids = (stat.user, stat.system), (stat.kids_user, stat.kids_system)
            process = Followed(opened, stat.start, Used(pid, stat.parent, own, kids, None), raw, threads=stat.threads)
            self._read_owner(process)
            self._read_memory(process, swapping=False)
        except OSError:
            self._files.forget(opened)
            return None
        self._followed[pid] = process
        return process

    def _read_owner(self, process: Followed) -> None:
        pid = process.used.pid
        process.uid = self._owner(pid)
        try:
            process.cgroup = parse_cgroup(self._files.read(pid, "cgroup"))
        except PermissionError:
            process.cgroup = ""
        process.used.app = self._owned.app_of(process.cgroup, process.uid)

    def _read_memory(self, process: Followed, swapping: bool) -> None:
        raw = process.open.memory()
        if raw != process.raw_memory:
            process.raw_memory, process.anonymous_pages = raw, parse_statm(raw) or 0
        # VmSwap stands only in the long file: read it where something is swapped out, and now and then.
        if not swapping:
            process.swap_bytes = 0
        elif process.looks == 0 or (process.looks + process.used.pid) % _OWNER_EVERY == 0:
            process.swap_bytes = parse_swap(self._files.read(process.used.pid, "status")) or 0

    def _bury(self, pid: int) -> Used:
        process = self._followed.pop(pid)
        self._files.forget(process.open)
        return process.used

    def _charge(self, look: Look, colocation: Colocation) -> None:
        for app, ticks in self._ledger.add(look).items():
            for project, share in shares_of(colocation, app).items():
                sums = self._projects.setdefault(project, [0.0, 0.0])
                for mode, more in enumerate(ticks):
                    sums[mode] += more * share
        for app in self._ledger.apps.keys() - colocation.inventory.apps.keys() - {SYSTEM}:
            del self._ledger.apps[app]

    def _cpu(self, colocation: Colocation) -> Iterator[Metric]:
        shown = (*sorted(self._owned.visible), SYSTEM)
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
        known = {project for app in shown for project in shares_of(colocation, app)}
        for project in sorted(known):
            for mode, ticks in zip(MODES, self._projects.get(project, (0.0, 0.0)), strict=True):
                projects.add_metric([project, mode], ticks / self._ticks)
        yield projects

    def _gauges(self, colocation: Colocation) -> Iterator[Metric]:
        shown = (*sorted(self._owned.visible), SYSTEM)
        memory, processes, threads = (dict.fromkeys(shown, 0.0) for _ in range(3))
        for process in self._followed.values():
            app = process.used.app or SYSTEM
            memory[app] += process.anonymous_pages * self._page + process.swap_bytes
            processes[app] += 1
            threads[app] += process.threads
        for name, what, values in (
            ("memory_bytes", "Anonymous memory, in memory and swapped out", memory),
            ("processes", "Processes", processes),
            ("threads", "Threads of the processes", threads),
        ):
            family = GaugeMetricFamily(f"coloc_app_{name}", f"{what}.", labels=["app", "project"])
            for app, value in values.items():
                family.add_metric([app, project_label(colocation, app)], value)
            yield family
            sums = GaugeMetricFamily(f"coloc_project_{name}", f"{what}; shared apps by shares.", labels=["project"])
            for project, value in project_sums(colocation, values).items():
                sums.add_metric([project], value)
            yield sums
        yield GaugeMetricFamily(
            "coloc_processes_unreadable", "Processes that the agent may not read.", value=self._unreadable
        )
