"""Runs every collector in a thread of its own, in its own rhythm, and keeps the exposition of what they found ready.

It decides nothing. Threads are daemons: one that hangs in the kernel cannot keep the agent from ending.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.cap import Cap
from collectors.exposition import HEALTH, Exposition, Piece, encode, expose, keep_ready
from collectors.guard import Clock, Collector, Guard, Now, Standing
from collectors.renames import with_old_names
from coloc.model import Colocation

_GATHER_SECONDS = 0.2  # looks that end together are rendered together
_RENDER = "render"


class Sampler:
    """The collectors at work. `exposition` and `standings` answer at once, from what was last found."""

    def __init__(
        self,
        collectors: Iterable[Collector],
        colocation: Callable[[], Colocation],
        *,
        render_seconds: float = 5.0,
        clock: Clock = time.monotonic,
        now: Now | None = None,
    ) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._guards = tuple(Guard(collector, clock=clock, now=self._now) for collector in collectors)
        self._wakes = tuple(threading.Event() for _ in self._guards)
        self._waiting: dict[str, list[Callable[[], None]]] = {guard.collector.name: [] for guard in self._guards}
        self._colocation, self._clock = colocation, clock
        self._render_seconds = render_seconds
        self._given: dict[str, tuple[tuple[Metric, ...], Piece]] = {}
        self._given_lock = threading.Lock()
        self._cap = Cap()  # of the given families, below the same lock
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._exposition: Exposition | None = None
        self.moved_at: float | None = None  # monotonic: when the last exposition was made, for the watchdog

    def start(self) -> None:
        """Begin to look, also after a stop; returns at once. A collector that still hangs gets no second thread."""
        self._stopped = stopped = threading.Event()
        for guard, wake in zip(self._guards, self._wakes, strict=True):
            if not self._is_running(guard.collector.name):
                self._begin(partial(self._repeat, guard, wake, stopped), guard.collector.name)
        self._begin(partial(self._render, stopped), _RENDER)

    def stop(self, *, timeout: float = 2.0) -> None:
        """Ask the threads to end and wait a little for them; those that ended give back what they hold."""
        self._stopped.set()
        for event in (self._news, *self._wakes):
            event.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        for guard in self._guards:
            if not self._is_running(guard.collector.name):
                guard.close()

    def wake(self) -> None:
        """Let every collector look again now (the apps have changed)."""
        for event in self._wakes:
            event.set()

    def look_soon(self, name: str, *, then: Callable[[], None]) -> None:
        """Let one collector look now, and call `then`, in its thread, when a look that began after this one is over."""
        self._waiting[name].append(then)
        for guard, wake in zip(self._guards, self._wakes, strict=True):
            if guard.collector.name == name:
                wake.set()

    def put(self, name: str, families: Iterable[Metric]) -> None:
        """Families that the agent knows by itself (backups, quotas, incidents); they replace those of the same name."""
        kept = tuple(families)
        last = self._given.get(name)
        if last is not None and last[0] == kept:
            return
        with self._given_lock:
            self._given[name] = kept, encode(name, self._cap.apply(with_old_names(kept)))
        self._news.set()

    def given(self) -> tuple[Metric, ...]:
        """The families that were put, as they are now."""
        with self._given_lock:
            return tuple(family for families, _ in self._given.values() for family in families)

    def standings(self) -> tuple[Standing, ...]:
        """How each collector is doing, with what it last found."""
        return tuple(guard.standing() for guard in self._guards)

    def exposition(self) -> Exposition | None:
        """What a scrape gets now; None before the first look."""
        return self._exposition

    def look_once(self) -> Exposition:
        """Let each collector look once, wait for them as long as they may take, and return what they found."""
        colocation = self._colocation()
        looks = [self._begin(partial(guard.look, colocation), guard.collector.name) for guard in self._guards]
        deadline = time.monotonic() + max((guard.collector.deadline_seconds for guard in self._guards), default=0.0)
        for look in looks:
            look.join(max(0.0, deadline - time.monotonic()))
        return self._put_together()

    def render_now(self) -> Exposition:
        """What was found and given so far; for who does not `start`."""
        return self._put_together()

    def _begin(self, work: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=work, name=f"coloc-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()
        return thread

    def _is_running(self, name: str) -> bool:
        return name in self._threads and self._threads[name].is_alive()

    def _repeat(self, guard: Guard, wake: threading.Event, stopped: threading.Event) -> None:
        while not stopped.is_set():
            begun, waiting = self._clock(), self._waiting[guard.collector.name]
            asked = [waiting.pop() for _ in range(len(waiting))]
            guard.look(self._colocation())
            self._news.set()
            for then in asked:
                then()
            # Looks that were missed (a long one, a suspended machine) are not made up for.
            wake.wait(max(0.0, begun + guard.collector.interval_seconds - self._clock()))
            if not stopped.is_set():
                wake.clear()

    def _render(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            self._news.wait(self._render_seconds)
            stopped.wait(_GATHER_SECONDS)
            self._news.clear()
            self._put_together()

    def _put_together(self) -> Exposition:
        standings = self.standings()
        with self._given_lock:
            given = [piece for _, piece in self._given.values()]
            folded = Counter(self._cap.folded)
        for guard in self._guards:
            folded.update(guard.folded())
        pieces = [standing.piece for standing in standings if standing.piece is not None]
        pieces += [*given, encode(HEALTH, [*health_families(standings), *folded_families(folded)])]
        last, found = self._exposition, expose(pieces, (standing.name for standing in standings))
        keep_ready(last, found)
        self._exposition = found
        self.moved_at = self._clock()
        return self._exposition


def health_families(standings: Sequence[Standing]) -> Iterable[Metric]:
    """How the collectors are doing, as metrics."""
    success = GaugeMetricFamily("coloc_collector_success", "1 when the last look was good.", labels=["collector"])
    duration = GaugeMetricFamily("coloc_collector_duration_seconds", "How long it took.", labels=["collector"])
    last = GaugeMetricFamily(
        "coloc_collector_last_success_timestamp_seconds", "When the figures were measured.", labels=["collector"]
    )
    for standing in standings:
        if standing.success is not None:
            success.add_metric([standing.name], float(standing.success))
        if standing.duration_seconds is not None:
            duration.add_metric([standing.name], standing.duration_seconds)
        if standing.last_success_at is not None:
            last.add_metric([standing.name], standing.last_success_at.timestamp())
    return [family for family in (success, duration, last) if family.samples]


def folded_families(folded: Mapping[str, int]) -> Iterable[Metric]:
    """What the caps of the families folded, as a metric; none while nothing was."""
    family = CounterMetricFamily(
        "coloc_series_folded",
        "Series beyond the cap of a family that became _other, summed over all looks.",
        labels=["family"],
    )
    for name, number in sorted(folded.items()):
        family.add_metric([name], number)
    return [family] if family.samples else []
