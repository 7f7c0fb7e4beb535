"""Adds up what each app used in a day, from what the collectors last found; a small store keeps the days in state.db.

Gauges are added up over the time that was watched (bytes times seconds), counters as what they grew. What was not
measured is absent, never zero. It is for spans of months: what the last ten minutes before a crash held is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from agent.readings import Readings
from collectors.shares import shares_of
from coloc.model import SYSTEM, Colocation

COUNTERS: Mapping[str, str] = {
    "cpu_seconds": "coloc_app_cpu_seconds_total",
    "traffic_bytes": "coloc_app_web_bytes_total",
    "requests": "coloc_app_web_requests_total",
    "mails": "coloc_app_mail_messages_total",
}
GAUGES: Mapping[str, tuple[str, ...]] = {
    "memory_byte_seconds": ("coloc_app_memory_bytes",),
    "disk_byte_seconds": ("coloc_app_disk_bytes", "coloc_app_database_bytes"),
    "backup_byte_seconds": ("coloc_backup_archive_bytes",),
}
FIGURES = (*COUNTERS, *GAUGES)
_WATCHED_SECONDS = 300.0  # a longer pause was not watched: the machine slept, or the agent hung


@dataclass(slots=True)
class DayOfApp:
    """What one app used in (a part of) a day, for how long it was watched, and who bears it by which shares."""

    day: str  # 2026-11-26, in the colocation's zone
    app: str
    shares: Mapping[str, float]
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, figure: str, value: float) -> None:
        """Count it in."""
        self.figures[figure] = self.figures.get(figure, 0.0) + value


class DayBook:
    """The days that are not yet kept. Looks that come sooner than `every_seconds` after the last one cost nothing."""

    def __init__(self, zone: tzinfo, *, every_seconds: float = 60.0) -> None:
        self._zone, self._every_seconds = zone, every_seconds
        self._last_clock: float | None = None
        self._last: dict[str, Mapping[str, float]] = {}  # counter → app → its value then
        self._days: dict[tuple[str, str], DayOfApp] = {}

    def look(self, readings: Readings, colocation: Colocation, now: datetime, clock: float) -> None:
        """Add what was used since the last look. `clock` is monotonic."""
        if self._last_clock is not None and clock - self._last_clock < self._every_seconds:
            return
        since = clock - self._last_clock if self._last_clock is not None else None
        self._last_clock = clock
        counted = {name: _by_app(readings, name) for name in COUNTERS.values() if readings.knows(name)}
        if since is not None and since <= _WATCHED_SECONDS:
            day = f"{now.astimezone(self._zone):%Y-%m-%d}"
            for app in (*colocation.inventory.apps, SYSTEM):
                row = self._days.setdefault((day, app), DayOfApp(day, app, shares_of(colocation, app)))
                row.shares = shares_of(colocation, app)
                row.seconds += since
            for app, figure, value in (*self._grown(counted), *_stood(readings, since)):
                row = self._days.setdefault((day, app), DayOfApp(day, app, shares_of(colocation, app)))
                row.add(figure, value)
            for app in colocation.inventory.apps:
                for figure, name in COUNTERS.items():
                    if name in counted and name in self._last:
                        self._days[day, app].add(figure, 0.0)  # measured, and nothing happened
        self._last = {**self._last, **counted}

    def _grown(self, counted: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, str, float]]:
        for figure, name in COUNTERS.items():
            if name not in self._last or name not in counted:
                continue
            for app, value in counted[name].items():
                before = self._last[name].get(app, 0.0)
                yield app, figure, value - before if value >= before else value

    def take(self) -> list[DayOfApp]:
        """What is not kept yet; give it back with `again` when it could not be kept."""
        days, self._days = list(self._days.values()), {}
        return days

    def again(self, days: list[DayOfApp]) -> None:
        """These could not be kept."""
        for day in days:
            newer = self._days.setdefault((day.day, day.app), DayOfApp(day.day, day.app, day.shares))
            newer.seconds += day.seconds
            for figure, value in day.figures.items():
                newer.add(figure, value)


def _by_app(readings: Readings, name: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for labels, value in readings.now(name):
        if "app" in labels:
            sums[labels["app"]] = sums.get(labels["app"], 0.0) + value
    return sums


def _stood(readings: Readings, seconds: float) -> Iterator[tuple[str, str, float]]:
    for figure, names in GAUGES.items():
        for name in names:
            for app, value in _by_app(readings, name).items():
                yield app, figure, value * seconds
