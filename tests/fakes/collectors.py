"""Collectors that work, break or hang when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from coloc.model import Colocation


class FakeCollector:
    """Counts its looks in `coloc_fake_<name>`; raises `error` if there is one; waits while `hang` is set."""

    def __init__(self, name: str, *, interval_seconds: float = 0.02, deadline_seconds: float = 5.0) -> None:
        self.name, self.interval_seconds, self.deadline_seconds = name, interval_seconds, deadline_seconds
        self.error: Exception | None = None
        self.families: list[Metric] = []  # what it finds besides
        self.go_on = threading.Event()
        self.go_on.set()
        self.looks = self.most_at_once = self.closed = 0
        self._at_once = 0

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:
        self.looks += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.go_on.wait(20)
            if self.error:
                raise self.error
            yield GaugeMetricFamily(f"coloc_fake_{self.name}", "Looks.", value=self.looks)
            yield from self.families
        finally:
            self._at_once -= 1

    def close(self) -> None:
        self.closed += 1
