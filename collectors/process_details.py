"""The dearer figures of each app's processes: proportional memory, descriptors, bytes read and written, oldest start.

It looks seldom, at the processes that `processes` follows, and reads again only what has changed since its last look.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.io_ledger import IoLedger, Key, Moved
from collectors.machine import MachineFiles, parse_cpu
from collectors.process_table import Known
from collectors.procfs import ProcFiles, parse_io, parse_pss
from collectors.shares import app_and_project, project_label, shares_of
from coloc.model import SYSTEM, Colocation

_PSS_SECONDS = 0.015  # of processor time, in a look: the kernel walks all pages of a process to tell its part of them
_EVERYBODY = 1
_ANEW_EVERY = 20  # looks: what is shared may change without its process doing anything
Roster = Callable[[], Sequence[Known]]


@dataclass(slots=True)
class _Detail:
    """What was last read of a process; None where we were refused. `changes` tells whether it is still true."""

    changes: int = -1
    moved: tuple[int, int] | None = None
    descriptors: int | None = None
    pss_bytes: int | None = None
    pss_changes: int = -1


class ProcessDetailsCollector:
    """PSS, descriptors, bytes read and written and the oldest start of each app and project."""

    name = "process_details"
    deadline_seconds = 20.0

    def __init__(
        self,
        roster: Roster,
        *,
        interval_seconds: float = 30.0,
        files: ProcFiles | None = None,
        machine: MachineFiles | None = None,
        ticks_per_second: int | None = None,
        pss_seconds: float = _PSS_SECONDS,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._roster, self._files, self._machine = roster, files or ProcFiles(), machine or MachineFiles()
        self._ticks = ticks_per_second or os.sysconf("SC_CLK_TCK")
        self._pss_seconds, self._spent = pss_seconds, spent
        self._details: dict[Key, _Detail] = {}
        self._ledger = IoLedger()
        self._projects: dict[str, list[float]] = {}
        self._looks = self._refused = 0

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Read what has changed, and some of what is dear."""
        self._looks += 1
        known = {(process.pid, process.start): process for process in self._roster()}
        self._details = {key: self._details.get(key) or _Detail() for key in known}
        for key in [key for key, process in known.items() if not self._read(process, self._details[key])]:
            del known[key], self._details[key]
        self._read_pss(known)
        self._charge(known, colocation)
        refused = [known[key].app for key, detail in self._details.items() if detail.moved is None]
        self._refused = sum(app is not None for app in refused)
        yield from self._gauges(colocation, known)
        yield from self._moved(colocation, known)
        yield GaugeMetricFamily(
            "coloc_processes_details_unreadable", "Processes whose details are refused.", value=len(refused)
        )

    def limits(self) -> tuple[str, ...]:
        """What cannot be seen from here, one sentence each."""
        if not self._refused:  # of the rest of the machine some may be closed even to root
            return ()
        return (
            f"proportional memory, descriptors and bytes of {self._refused} processes of apps cannot be read: "
            "run as root, or give the agent CAP_SYS_PTRACE",
        )

    def close(self) -> None:
        """The next look is a first one, which charges nothing."""
        self._details.clear()
        self._ledger.pause()

    def _read(self, process: Known, detail: _Detail) -> bool:
        """Read a process again unless it slept; False when it is gone."""
        if detail.changes == process.changes and (self._looks + process.pid) % _ANEW_EVERY:
            return True
        try:
            detail.moved = parse_io(self._files.read(process.pid, "io"))
            detail.descriptors = self._files.descriptors(process.pid)
            detail.changes = process.changes
        except PermissionError:
            detail.moved = detail.descriptors = detail.pss_bytes = None
        except OSError:
            return False
        return True

    def _read_pss(self, known: dict[Key, Known]) -> None:
        """As many as the budget allows: those never measured, then those that changed, then some of the others."""
        wanted = [
            (detail.pss_bytes is not None, detail.pss_changes, key)
            for key, detail in self._details.items()
            if detail.moved is not None
            and (detail.pss_changes != known[key].changes or (self._looks + key[0]) % _ANEW_EVERY == 0)
        ]
        began = self._spent()
        for _, _, key in sorted(wanted):
            if self._spent() - began >= self._pss_seconds:
                break
            detail = self._details[key]
            try:
                detail.pss_bytes = parse_pss(self._files.read(key[0], "smaps_rollup"))
                detail.pss_changes = known[key].changes
            except OSError:
                detail.pss_bytes = None

    def _charge(self, known: dict[Key, Known], colocation: Colocation) -> None:
        moved = {
            key: Moved(process.pid, process.parent, process.app, counted, passes_on=process.is_pool_master)
            for key, process in known.items()
            if (counted := self._details[key].moved) is not None
        }
        for app, both in self._ledger.add(moved).items():
            for project, share in shares_of(colocation, app).items():
                sums = self._projects.setdefault(project, [0.0, 0.0])
                for way, more in enumerate(both):
                    sums[way] += more * share
        for app in self._ledger.apps.keys() - colocation.inventory.apps.keys() - {SYSTEM}:
            del self._ledger.apps[app]

    def _gauges(self, colocation: Colocation, known: dict[Key, Known]) -> Iterator[Metric]:
        descriptors, pss, oldest = dict[str, float](), dict[str, float](), dict[str, int]()
        unknown = {name: {SYSTEM} if _is_hidden(known) else set[str]() for name in ("descriptors", "pss")}
        for key, process in known.items():
            detail, app = self._details[key], process.app or SYSTEM
            oldest[app] = min(oldest.get(app, process.start), process.start)
            for name, sums, value in (
                ("descriptors", descriptors, detail.descriptors),
                ("pss", pss, detail.pss_bytes),
            ):
                sums[app] = sums.get(app, 0.0) + (value or 0)
                if value is None:
                    unknown[name].add(app)  # a part of a sum would be a lie
        for name, what, sums, without in (
            ("pss_bytes", "Memory, what is shared divided among those who share it", pss, unknown["pss"]),
            ("descriptors", "Open files and sockets", descriptors, unknown["descriptors"]),
        ):
            shown = {app: value for app, value in sorted(sums.items()) if app not in without}
            yield from app_and_project(colocation, name, what, shown, without)
        yield from self._oldest(colocation, oldest)

    def _oldest(self, colocation: Colocation, oldest: dict[str, int]) -> Iterator[Metric]:
        booted_at = parse_cpu(self._machine.read("stat")).booted_at
        if booted_at is None:
            return
        family = GaugeMetricFamily(
            "coloc_app_oldest_process_start_timestamp_seconds",
            "When its oldest process began.",
            labels=["app", "project"],
        )
        for app, start in sorted(oldest.items()):
            family.add_metric([app, project_label(colocation, app)], round(booted_at + start / self._ticks, 2))
        yield family

    def _moved(self, colocation: Colocation, known: dict[Key, Known]) -> Iterator[Metric]:
        refused = {process.app or SYSTEM for key, process in known.items() if self._details[key].moved is None}
        refused |= {SYSTEM} if _is_hidden(known) else set()
        apps = ({process.app or SYSTEM for process in known.values()} | self._ledger.apps.keys()) - refused
        projects = {project for app in apps for project in shares_of(colocation, app)}
        projects -= {project for app in refused for project in shares_of(colocation, app)}
        for way, name, what in ((0, "read", "Bytes read from disks"), (1, "written", "Bytes written to disks")):
            family = CounterMetricFamily(
                f"coloc_app_disk_{name}_bytes", f"{what} since the agent started.", labels=["app", "project"]
            )
            for app in sorted(apps):
                family.add_metric([app, project_label(colocation, app)], self._ledger.apps.get(app, (0.0, 0.0))[way])
            yield family
            sums = CounterMetricFamily(
                f"coloc_project_disk_{name}_bytes", f"{what}; shared apps by their shares.", labels=["project"]
            )
            for project in sorted(projects):
                sums.add_metric([project], self._projects.get(project, (0.0, 0.0))[way])
            yield sums


def _is_hidden(known: Mapping[Key, Known]) -> bool:
    """Who does not see pid 1 sees its own processes only, and cannot speak for the rest of the machine."""
    return not any(pid == _EVERYBODY for pid, _ in known)
