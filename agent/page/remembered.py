"""What the page shows of the past: what was saved each day at each host, and what each app used in a day.

Read from state.db on a connection of its own, since readers have their threads. The calendar is kept for a minute.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from agent.charter import day_store
from agent.charter.day_book import DayOfApp
from coloc.errors import StateError
from coloc.state import connect_again
from coloc.times import iso, now_utc, parse_iso

CALENDAR_DAYS = 31
CURVE_DAYS = 92
_SAVED = (
    "SELECT substr(at, 1, 16) || ':00+00:00' AS minute, json_extract(data, '$.app') AS app, "
    "json_extract(data, '$.host') AS host, json_extract(data, '$.ok') AS ok "
    "FROM facts WHERE kind = 'backup' AND at >= ? ORDER BY at"
)
_KEEP_SECONDS = 60.0
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class SavedDay:
    """What one host was given on one day of the colocation's zone."""

    day: date
    host: str
    saved: int  # apps
    failed: tuple[str, ...] = ()  # apps that were tried, and of which that day has no archive


class Remembered(Protocol):
    """Each is None while the state cannot be read."""

    def saved_days(self) -> Sequence[SavedDay] | None:
        """The last 31 days on which something was saved, or tried."""

    def days(self, *, app: str = "", project: str = "") -> Sequence[DayOfApp] | None:
        """What one app used in the last three months, or the apps that a project bears a part of."""


@dataclass(frozen=True, slots=True)
class Told:
    """The same from values."""

    saved: Sequence[SavedDay] | None = ()
    used: Sequence[DayOfApp] | None = ()

    def saved_days(self) -> Sequence[SavedDay] | None:
        """What was given."""
        return self.saved

    def days(self, *, app: str = "", project: str = "") -> Sequence[DayOfApp] | None:
        """What was given, of that app or project."""
        if self.used is None:
            return None
        return [each for each in self.used if each.app == app or project in each.shares]


class StateMemory:
    """The same from state.db."""

    def __init__(self, path: Path, zone: ZoneInfo, *, keep_seconds: float = _KEEP_SECONDS) -> None:
        self._path, self._zone, self._keep = path, zone, keep_seconds
        self._lock = threading.Lock()
        self._saved: Sequence[SavedDay] | None = None
        self._saved_at: float | None = None

    def saved_days(self) -> Sequence[SavedDay] | None:
        """What facts say; one thread reads at a time, and the others take what it found."""
        with self._lock:
            if self._saved_at is None or time.monotonic() - self._saved_at > self._keep:
                self._saved_at = time.monotonic()
                self._saved = self._ask(self._read_saved)
            return self._saved

    def days(self, *, app: str = "", project: str = "") -> Sequence[DayOfApp] | None:
        """What the day book kept: read anew each time, since all of it would weigh megabytes."""
        today = now_utc().astimezone(self._zone).date()
        first, last = (today - timedelta(days=CURVE_DAYS - 1)).isoformat(), today.isoformat()
        return self._ask(lambda connection: day_store.days_of(connection, first, last, app=app, project=project))

    def _ask(self, read: Callable[[sqlite3.Connection], _Found]) -> _Found | None:
        try:
            state = connect_again(self._path)
            try:
                return read(state.connection)
            finally:
                state.close()
        except (sqlite3.Error, StateError, OSError, ValueError):
            return None

    def _read_saved(self, connection: sqlite3.Connection) -> Sequence[SavedDay]:
        rows = connection.execute(_SAVED, (iso(now_utc() - timedelta(days=CALENDAR_DAYS + 1)),))
        days: dict[str, date] = {}
        found = []
        for minute, app, host, ok in rows:
            if not (isinstance(app, str) and isinstance(host, str)):
                continue
            if minute not in days:
                days[minute] = parse_iso(minute).astimezone(self._zone).date()
            found.append((days[minute], host, app, bool(ok)))
        return saved_days(found)


def saved_days(rows: Iterable[tuple[date, str, str, bool]]) -> list[SavedDay]:
    """(day, host, app, whether it went well) → a line for each day and host. Pure."""
    seen: dict[tuple[date, str], dict[str, bool]] = {}
    for day, host, app, ok in rows:
        apps = seen.setdefault((day, host), {})
        apps[app] = ok or apps.get(app, False)  # one good archive of that day is enough
    return [
        SavedDay(day, host, sum(apps.values()), tuple(sorted(app for app, ok in apps.items() if not ok)))
        for (day, host), apps in sorted(seen.items())
    ]
