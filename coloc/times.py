"""Times as values: aware, in UTC inside, in the colocation's zone with its offset for people."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds: its text sorts like the time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


@lru_cache(maxsize=1024)  # at each tick the daemon reads the same few hundred moments from its state
def parse_iso(text: str) -> datetime:
    """The reverse of `iso`. Raises ValueError for a time without an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment.astimezone(UTC)


def for_people(moment: datetime, zone: ZoneInfo) -> str:
    """`2026-11-23 02:30 +01:00`: every time that is printed has its offset."""
    local = moment.astimezone(zone)
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"


def now_utc() -> datetime:
    """The present, for the edges of the program; decisions are given it."""
    return datetime.now(UTC)
