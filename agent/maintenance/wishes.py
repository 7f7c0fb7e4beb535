"""When people say that a maintenance begins, and what they write in a room to declare or change one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from coloc.config.values import parse_seconds

_HOUR = re.compile(r"(\d{1,2})(?:[:h](\d{2})?)")
_JUST_NOW = timedelta(minutes=5)
_NOW = frozenset({"now", "maintenant"})
_EVERYTHING = frozenset({"server", "serveur", "tout", "everything"})
# The words that people use → ours.
_VERBS: Mapping[str, str] = {
    "list": "list",
    "liste": "list",
    "start": "start",
    "commencer": "start",
    "extend": "extend",
    "prolonger": "extend",
    "end": "end",
    "finir": "end",
    "cancel": "cancel",
    "annuler": "cancel",
}
_DECLARATION = re.compile(r"[\"“”«]\s*(.+?)\s*[\"“”»]\s+(\S+)\s+(.+?)\s+(\S+)")


@dataclass(frozen=True, slots=True)
class MaintenanceWish:
    """What somebody writes after `!maintenance`. `about`: an app or a project, "" for the whole server."""

    verb: str  # declare | list | start | extend | end | cancel; "" when it cannot be understood
    number: int = 0
    title: str = ""
    about: str = ""
    begins_at: datetime | None = None
    span: timedelta = timedelta(0)


def understand_maintenance(text: str, now: datetime, zone: ZoneInfo) -> MaintenanceWish:
    """`list`, `start 3`, `extend 3 30m`, `"Upgrade" nextcloud 22:00 1h`."""
    words = text.split()
    verb = _VERBS.get(words[0].casefold(), "") if words else "list"
    if verb == "list":
        return MaintenanceWish("list")
    try:
        return _change(verb, words[1:]) if verb else _declaration(text.strip(), now, zone)
    except (ValueError, OverflowError):
        return MaintenanceWish("")


def _change(verb: str, words: list[str]) -> MaintenanceWish:
    number = words[0].removeprefix("M").removeprefix("#") if words else ""
    expected = 2 if verb == "extend" else 1
    if len(words) != expected or not (number.isascii() and number.isdecimal() and len(number) <= 12):
        return MaintenanceWish("")
    span = timedelta(seconds=parse_seconds(words[1])) if verb == "extend" else timedelta(0)
    return MaintenanceWish(verb, int(number), span=span)


def _declaration(text: str, now: datetime, zone: ZoneInfo) -> MaintenanceWish:
    match = _DECLARATION.fullmatch(text)
    if match is None:
        return MaintenanceWish("")
    title, about, begin, span = match.groups()
    return MaintenanceWish(
        "declare",
        title=title,
        about="" if about.casefold() in _EVERYTHING else about,
        begins_at=parse_begin(begin, now, zone),
        span=timedelta(seconds=parse_seconds(span)),
    )


def parse_begin(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """When it begins, in UTC: `now`, `22:00` or `22h30` (the next), `2026-11-28 22:00`, with an offset or the zone's.

    Raises ValueError.
    """
    text = text.strip()
    if text.casefold() in _NOW:
        return now
    match = _HOUR.fullmatch(text)
    if match is not None:
        at, here = time(int(match[1]), int(match[2] or 0)), now.astimezone(zone)
        begin = _local(here.date(), at, zone)
        return begin if begin >= now - _JUST_NOW else _local(here.date() + timedelta(days=1), at, zone)
    moment = datetime.fromisoformat(text)
    if len(text) <= len("2026-11-28"):
        raise ValueError("a day without an hour")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _local(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
