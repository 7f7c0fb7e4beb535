"""When the nightly run is due: a pure function of what is remembered and an aware `now`, in the colocation's zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from coloc.config.backups import BackupHost
from coloc.windows import closes_at

_CLOCK_ERROR = timedelta(hours=1)  # a clock is set back by seconds every day; by more than this it was wrong


def last_slot(at: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The last moment not after `now` at which the clocks on the wall showed `at` ("02:30"), in UTC.

    In the night when summer time begins a time that does not exist counts as one hour later on the wall; in the night
    when it ends, a time that comes twice counts once, the first time.
    """
    hour, minute = (int(part) for part in at.split(":"))
    day = now.astimezone(zone).date() + timedelta(days=1)
    while True:
        slot = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
        if slot <= now:
            return slot
        day -= timedelta(days=1)


def next_slot(at: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The first moment after `now` at which the clocks on the wall show `at`, in UTC."""
    slot = last_slot(at, zone, now + timedelta(days=1))
    return slot if slot > now else last_slot(at, zone, now + timedelta(days=2))


def nightly_is_due(last_started: datetime | None, at: str, zone: ZoneInfo, now: datetime) -> bool:
    """True when a run should begin: the last slot has not been used, or nothing was ever backed up.

    A run that was missed (the server was off) is caught up at once, once. A start remembered in the future (the clock
    was set back) never happened: else no night would be due until then. See `last_start`.
    """
    if last_started is None or last_started > now + _CLOCK_ERROR:
        return True
    return last_started < last_slot(at, zone, now)


def host_is_due(
    host: BackupHost, usual: str, remembered: Iterable[datetime | None], zone: ZoneInfo, now: datetime
) -> bool:
    """True when a host's night should begin. One that was missed is caught up at once, but only in its window."""
    if host.window is not None and closes_at(host.window, zone, now) is None:
        return False
    return nightly_is_due(last_start(remembered, now), host.starts_at(usual), zone, now)


def last_start(remembered: Iterable[datetime | None], now: datetime) -> datetime | None:
    """The latest of what is remembered, without what a clock that was ahead wrote down; None when nothing is left."""
    return max((moment for moment in remembered if moment is not None and moment <= now + _CLOCK_ERROR), default=None)
