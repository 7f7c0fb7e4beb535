"""What the exit accounting adds to a look: the figures of processes that came and went unseen, and its own health.

The service that hears the kernel is off by default: then this adds nothing, and says nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.cpu_endings import Endings
from collectors.cpu_ledger import Look
from collectors.exit_client import Ask, Exits, ProcessExit
from collectors.exit_matching import bounded, match
from collectors.ownership import Ownership
from collectors.process_table import ProcessTable
from collectors.shares import project_label
from coloc.model import SYSTEM, Colocation


def seconds_since_boot() -> float:
    """On the clock of /proc's start times."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ShortLived:
    """Looks through the table, asks right after, and gives the ledger both. `ask` answers None where nothing tells."""

    def __init__(
        self,
        ask: Ask,
        *,
        ticks_per_second: int,
        since_boot: Callable[[], float],
    ) -> None:
        self._ask, self._ticks, self._since_boot = ask, ticks_per_second, since_boot
        self._waiting: Mapping[int, ProcessExit] = {}
        self._looked_at: float | None = None
        self._answer: Exits | None = None
        self._endings = Endings()
        self._processors = os.cpu_count() or 1
        self._seconds: dict[str, float] = {}

    def look(self, table: ProcessTable, owned: Ownership) -> Look:
        """A look of the table, with what the kernel told of those that ended since the last one."""
        before, self._looked_at = self._looked_at, self._since_boot()
        look = table.look()
        self._answer = answer = self._ask()
        if answer is None or before is None:
            self._waiting = {}
            self._endings.forget()
            return look
        matched = match(
            answer.exits,
            self._waiting,
            living=table.living,
            buried=table.buried,
            owned=owned,
            ticks_per_second=self._ticks,
            since=before,
        )
        self._waiting = matched.waiting
        ended = *matched.known, *matched.unseen
        if answer.complete:
            ended = self._endings.complete(look, ended)
        else:
            self._endings.forget()
        ended = bounded(ended, look.ticks * self._processors)
        for end in ended[len(matched.known) :]:
            app = end.app or SYSTEM
            self._seconds[app] = self._seconds.get(app, 0.0) + sum(end.own) / self._ticks
        return replace(look, ended=ended, all_told=answer.complete)

    def pause(self) -> None:
        """Processes were lost from sight: the next look is a first one."""
        self._waiting, self._looked_at = {}, None
        self._endings.forget()

    def limits(self) -> tuple[str, ...]:
        """What cannot be seen now although the service is there."""
        if self._answer is None or self._answer.active:
            return ()
        return (
            "short-lived work is not counted now (an exit storm, or a refusal): see journalctl -u coloc-agent-exits",
        )

    def families(self, colocation: Colocation, shown: tuple[str, ...]) -> Iterator[Metric]:
        """Nothing where there is no service."""
        answer = self._answer
        for app in self._seconds.keys() - colocation.inventory.apps.keys() - {SYSTEM}:
            del self._seconds[app]
        if answer is None:
            return
        seconds = CounterMetricFamily(
            "coloc_app_short_lived_cpu_seconds",
            "Part of coloc_app_cpu_seconds_total: processes that no look saw.",
            labels=["app", "project"],
        )
        for app in shown:
            seconds.add_metric([app, project_label(colocation, app)], self._seconds.get(app, 0.0))
        yield seconds
        yield GaugeMetricFamily(
            "coloc_exits_active", "1 while the kernel tells which processes end.", value=float(answer.active)
        )
        for name, what, value in (
            ("coloc_exits", "Processes that ended, as the kernel told.", answer.cursor),
            ("coloc_exits_lost", "Ends that the kernel, the service or the agent lost.", answer.lost + answer.missed),
            ("coloc_exits_storms", "Exit storms, in which the service heard nothing.", answer.storms),
        ):
            yield CounterMetricFamily(name, what, value=value)
