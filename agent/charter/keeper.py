"""The charter within the daemon: it keeps the day book, and finds the points anew every few minutes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from prometheus_client.metrics_core import Metric

from agent.charter import day_store
from agent.charter.checks import bus_factors, charter_points, counts
from agent.charter.day_book import DayBook
from agent.charter.facts import charter_facts, known_from
from agent.charter.point import CharterPoint
from agent.observation import Observation
from collectors.charter_families import charter_families
from coloc.config.whole import Config
from coloc.errors import StateError
from coloc.model import Colocation
from coloc.state import State

_SAVE_SECONDS = 600.0
_FIND_SECONDS = 300.0
_LOOKS = 12  # of the processes, for one at the day book


class CharterKeeper:
    """One for each configuration. `save` may fail on a full disk: nothing is lost by it but on a crash."""

    def __init__(self, config: Config, state: State) -> None:
        self._config, self._state = config, state
        self._book = DayBook(config.zone, every_seconds=_LOOKS * config.sampling.every)
        self._saved_at = time.monotonic()
        self._found_at: float | None = None
        self._found_of: tuple[Colocation, frozenset[str], int] | None = None
        self.points: tuple[CharterPoint, ...] = ()
        self.families: list[Metric] = []

    def look(self, observation: Observation, now: datetime, clock: float) -> None:
        """Add what was used since the last look."""
        self._book.look(observation.readings, observation.colocation, now, clock)

    def find(self, observation: Observation, backed_up: Iterable[str], now: datetime, clock: float) -> None:
        """Find the points, when that was long ago or something changed. `backed_up`: apps with a good backup."""
        saved = frozenset(backed_up)
        seen = (observation.colocation, saved, len(observation.readings.values.get("coloc_app_kind", ())))
        if self._found_at is not None and clock - self._found_at < _FIND_SECONDS and _same(seen, self._found_of):
            return
        self._found_at, self._found_of = clock, seen
        today = now.astimezone(self._config.zone).date()
        first = today - timedelta(seconds=self._config.charter.unused_after)
        watched = day_store.watched(self._state.connection, first.isoformat(), today.isoformat())
        known = known_from(observation.readings, saved, watched)
        facts = charter_facts(self._config, observation.colocation, known, now)
        self.points = charter_points(facts)
        self.families = charter_families(counts(self.points), *bus_factors(facts), observation.colocation)

    def save_when_due(self, now: datetime) -> None:
        """Keep the days every ten minutes. Raises StateError."""
        if time.monotonic() - self._saved_at > _SAVE_SECONDS:
            self.save(now)

    def save(self, now: datetime) -> None:
        """Keep the days. Raises StateError; they are kept the next time then."""
        self._saved_at = time.monotonic()
        days = self._book.take()
        try:
            with self._state.transaction() as connection:
                day_store.add(connection, days)
                day_store.forget_before(connection, now.astimezone(self._config.zone).date())
        except StateError:
            self._book.again(days)
            raise


def _same(seen: tuple[Colocation, frozenset[str], int], before: tuple[Colocation, frozenset[str], int] | None) -> bool:
    """The colocation is the same object while nothing changed of it: comparing it in full would be dear."""
    return before is not None and seen[0] is before[0] and seen[1:] == before[1:]
