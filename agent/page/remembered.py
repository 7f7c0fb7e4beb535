"""What the page shows of the past: what was saved each day at each host, and what each app used in a day.

Read from state.db on a connection of its own, since readers have their threads, and kept for a while: looking at the
page costs the daemon next to nothing however often it is asked.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Generic, Protocol, TypeVar
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
    saved: frozenset[str]  # apps
    failed: frozenset[str]  # apps that failed and were not saved later on that day


class Remembered(Protocol):
    """Each is None while the state cannot be read."""

    def saved_days(self) -> Sequence[SavedDay] | None:
        """The last 31 days on which something was saved, or tried."""

    def days(self) -> Sequence[DayOfApp] | None:
        """What each app used, of the last three months."""


@dataclass(frozen=True, slots=True)
class Told:
    """The same from values."""

    saved: Sequence[SavedDay] | None = ()
    used: Sequence[DayOfApp] | None = ()

    def saved_days(self) -> Sequence[SavedDay] | None:
        """What was given."""
        return self.saved

    def days(self) -> Sequence[DayOfApp] | None:
        """What was given."""
        return self.used


class StateMemory:
    """The same from state.db."""

    def __init__(self, path: Path, zone: ZoneInfo, *, keep_seconds: float = _KEEP_SECONDS) -> None:
        self._zone = zone
        self._saved = _Kept[Sequence[SavedDay]](path, self._read_saved, keep_seconds)
        self._used = _Kept[Sequence[DayOfApp]](path, self._read_used, keep_seconds)

    def saved_days(self) -> Sequence[SavedDay] | None:
        """What facts say."""
        return self._saved.get()

    def days(self) -> Sequence[DayOfApp] | None:
        """What the day book kept."""
        return self._used.get()

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

    def _read_used(self, connection: sqlite3.Connection) -> Sequence[DayOfApp]:
        today = now_utc().astimezone(self._zone).date()
        first = today - timedelta(days=CURVE_DAYS - 1)
        return day_store.days_between(connection, first.isoformat(), today.isoformat())


def saved_days(rows: Iterable[tuple[date, str, str, bool]]) -> list[SavedDay]:
    """(day, host, app, whether it went well), oldest first → a line for each day and host. Pure."""
    last: dict[tuple[date, str], dict[str, bool]] = {}
    for day, host, app, ok in rows:
        apps = last.setdefault((day, host), {})
        apps[app] = ok or apps.get(app, False)  # one good archive of that day is enough
    return [SavedDay(day, host, _where(apps, True), _where(apps, False)) for (day, host), apps in sorted(last.items())]


def _where(apps: Mapping[str, bool], wanted: bool) -> frozenset[str]:
    return frozenset(app for app, ok in apps.items() if ok is wanted)


class _Kept(Generic[_Found]):
    """One reading, made again when it is asked for and old. Whoever comes meanwhile waits: one reads at a time."""

    def __init__(self, path: Path, read: Callable[[sqlite3.Connection], _Found], keep_seconds: float) -> None:
        self._path, self._read, self._keep = path, read, keep_seconds
        self._lock = threading.Lock()
        self._found: _Found | None = None
        self._at: float | None = None

    def get(self) -> _Found | None:
        """The reading, or None when there is none and the state cannot be read."""
        with self._lock:
            if self._at is None or time.monotonic() - self._at > self._keep:
                self._at = time.monotonic()
                try:
                    state = connect_again(self._path)
                    try:
                        self._found = self._read(state.connection)
                    finally:
                        state.close()
                except (sqlite3.Error, StateError, OSError, ValueError):
                    self._found = None
            return self._found
