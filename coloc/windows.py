"""Times of day between which a backup host may be used (`22:00-06:00`), on the wall clock of the colocation. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def parse_window(window: str) -> tuple[time, time]:
    """Its two ends. Raises ValueError."""
    begin, mark, end = window.partition("-")
    if not mark or begin.strip() == end.strip():
        raise ValueError("write a window such as 22:00-06:00")
    return time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())


def closes_at(window: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the window that is open at `now` closes, in UTC; None when it is closed."""
    begin, end = parse_window(window)
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        opens = datetime.combine(day, begin, tzinfo=zone).astimezone(UTC)
        last = day if begin < end else day + timedelta(days=1)
        closes = datetime.combine(last, end, tzinfo=zone).astimezone(UTC)
        if opens <= now < closes:
            return closes
    return None


def is_within(window: str, at: str) -> bool:
    """True when a time of day lies in the window."""
    begin, end = parse_window(window)
    moment = time.fromisoformat(at)
    return begin <= moment < end if begin < end else moment >= begin or moment < end
