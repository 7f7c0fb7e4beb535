"""The one guard around a collector: whatever it does, the others and the scrape go on, and its last good figures stay.

It runs a collector and remembers how that went; when to run is the sampler's business.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from prometheus_client.metrics_core import Metric

from collectors.cap import Cap
from collectors.exposition import Piece, encode
from collectors.renames import with_old_names
from coloc.errors import ColocError
from coloc.model import Colocation

logger = logging.getLogger(__name__)

Clock = Callable[[], float]
Now = Callable[[], datetime]


class Collector(Protocol):
    """Measures one subject. `collect` may raise and may hang: the guard copes."""

    @property
    def name(self) -> str:
        """How `coloc_collector_*` and `collect[]` call it."""

    @property
    def interval_seconds(self) -> float:
        """How often it looks."""

    @property
    def deadline_seconds(self) -> float:
        """After how long a look counts as hanging."""

    def collect(self, colocation: Colocation, now: datetime) -> Iterable[Metric]:
        """Look once, and return fresh families."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a collector is doing. `success` is None until its first look ended or became late."""

    name: str
    interval_seconds: float = 0.0
    families: tuple[Metric, ...] = ()
    piece: Piece | None = None
    success: bool | None = None
    error: str = ""
    duration_seconds: float | None = None
    last_success_at: datetime | None = None
    last_success_clock: float | None = None  # the same on the monotonic clock
    failing_since: datetime | None = None


class Guard:
    """One collector, watched. `look` is called by one thread only, `standing` by anybody at any time."""

    def __init__(self, collector: Collector, *, clock: Clock = time.monotonic, now: Now) -> None:
        self.collector = collector
        self._clock, self._now = clock, now
        self._cap = Cap()
        self._lock = threading.Lock()
        self._standing = Standing(collector.name, collector.interval_seconds)
        self._begun: tuple[float, datetime] | None = None

    def look(self, colocation: Colocation) -> None:
        """Run the collector once. Never raises; a failure keeps the last good families."""
        begun, now = self._clock(), self._now()
        with self._lock:
            self._begun = begun, now
        try:
            families = tuple(self.collector.collect(colocation, now))
            piece = self._encoded(families)
        except Exception as error:  # noqa: BLE001 - one broken collector must cost only its own series
            self._failed(error, begun, now)
            return
        ended = self._clock()
        with self._lock:
            self._begun = None
            self._standing = Standing(
                self.collector.name,
                self.collector.interval_seconds,
                families,
                piece,
                success=True,
                duration_seconds=ended - begun,
                last_success_at=self._now(),
                last_success_clock=ended,
            )

    def standing(self) -> Standing:
        """How the collector is doing now; a look that is late counts as failing, and goes on."""
        with self._lock:
            standing, begun = self._standing, self._begun
        if begun is None or self._clock() - begun[0] <= self.collector.deadline_seconds:
            return standing
        late = self._clock() - begun[0]
        return replace(
            standing,
            success=False,
            error=f"no answer for {late:.0f} s",
            duration_seconds=late,
            failing_since=standing.failing_since or begun[1],
        )

    def folded(self) -> dict[str, int]:
        """How many label sets of each family were folded so far."""
        return dict(self._cap.folded)

    def close(self) -> None:
        """Let the collector give back what it holds (descriptors, connections); it may look again afterwards."""
        close = getattr(self.collector, "close", None)
        if close is not None:
            close()

    def _encoded(self, families: tuple[Metric, ...]) -> Piece:
        last = self._standing
        if last.piece and families == last.families:
            return last.piece
        return encode(self.collector.name, self._cap.apply(with_old_names(families)))

    def _failed(self, error: Exception, begun: float, now: datetime) -> None:
        expected = isinstance(error, ColocError | OSError)
        with self._lock:
            is_news = self._standing.success is not False
            self._begun = None
            self._standing = replace(
                self._standing,
                success=False,
                error=str(error)[:500] or type(error).__name__,
                duration_seconds=self._clock() - begun,
                failing_since=self._standing.failing_since or now,
            )
        if is_news:
            details = {"collector": self.collector.name, "error": str(error)[:500]}
            logger.warning("collector failed", extra=details, exc_info=None if expected else error)
