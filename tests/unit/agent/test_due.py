"""When the night is due: both changes of the clock, downtime, wrong clocks, odd zones; each night once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.due import last_slot, last_start, next_slot, nightly_is_due

PARIS = ZoneInfo("Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(at: str, zone: ZoneInfo, begin: datetime, hours: float, every_minutes: int = 5) -> list[datetime]:
    """When runs begin if we look every few minutes, and the run before began a minute before `begin`."""
    last, runs = begin - timedelta(minutes=1), []
    for look in range(int(hours * 60 / every_minutes)):
        now = begin + timedelta(minutes=look * every_minutes)
        if nightly_is_due(last, at, zone, now):
            runs.append(now)
            last = now
    return runs


@pytest.mark.parametrize(
    ("at", "begin", "runs"),
    [
        # 2027-03-28: 02:00 becomes 03:00, so that 02:30 does not exist.
        ("02:30", "2027-03-27T12:00", ["2027-03-28T01:30", "2027-03-29T00:30"]),
        ("01:30", "2027-03-27T12:00", ["2027-03-28T00:30", "2027-03-28T23:30"]),
        ("03:30", "2027-03-27T12:00", ["2027-03-28T01:30", "2027-03-29T01:30"]),
        # 2026-10-25: 03:00 becomes 02:00, so that 02:30 comes twice.
        ("02:30", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("03:00", "2026-10-24T12:00", ["2026-10-25T02:00", "2026-10-26T02:00"]),
        ("00:00", "2026-10-24T12:00", ["2026-10-24T22:00", "2026-10-25T23:00"]),
    ],
)
def test_the_nights_when_the_clocks_change_have_one_run_each(at: str, begin: str, runs: list[str]) -> None:
    assert starts(at, PARIS, utc(begin), 44) == [utc(text) for text in runs]


@pytest.mark.parametrize(
    "zone", ["Europe/Paris", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns", "UTC", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize("at", ["00:00", "02:30", "12:00", "23:59"])
def test_in_every_zone_a_year_has_a_run_for_each_day(zone: str, at: str) -> None:
    runs = starts(at, ZoneInfo(zone), utc("2026-01-01T00:01"), 365 * 24, every_minutes=30)
    assert len(runs) in {364, 365}  # the first or the last may lie outside
    gaps = {(later - earlier) // timedelta(hours=1) for earlier, later in pairwise(runs)}
    assert gaps <= {22, 23, 24, 25}


def test_a_day_that_a_zone_never_had_is_no_second_run() -> None:
    runs = starts("02:30", ZoneInfo("Pacific/Apia"), utc("2011-12-28T00:00"), 96)
    assert runs == [utc("2011-12-28T12:30"), utc("2011-12-29T12:30"), utc("2011-12-30T12:30"), utc("2011-12-31T12:30")]


def test_what_was_never_run_is_due() -> None:
    assert nightly_is_due(None, "02:30", PARIS, utc("2026-11-23T12:00"))


def test_a_night_that_was_missed_is_caught_up_once() -> None:
    now = utc("2026-11-23T12:00")
    assert nightly_is_due(now - timedelta(days=10), "02:30", PARIS, now)
    assert not nightly_is_due(now, "02:30", PARIS, now + timedelta(minutes=1))
    assert starts("02:30", PARIS, now, 24) == [utc("2026-11-24T01:30")]


def test_a_run_that_began_at_the_very_slot_used_it() -> None:
    slot = utc("2026-11-23T01:30")
    assert last_slot("02:30", PARIS, slot) == slot
    assert not nightly_is_due(slot, "02:30", PARIS, slot)
    assert nightly_is_due(slot - timedelta(microseconds=1), "02:30", PARIS, slot)


def test_a_run_by_hand_just_before_the_slot_does_not_use_it() -> None:
    assert nightly_is_due(utc("2026-11-23T01:29"), "02:30", PARIS, utc("2026-11-23T01:30"))


def test_a_start_remembered_in_the_far_future_does_not_stop_the_nights_until_then() -> None:
    ahead, now = utc("2036-01-01T00:00"), utc("2026-11-23T12:00")
    assert nightly_is_due(ahead, "02:30", PARIS, now)
    assert last_start([ahead, None], now) is None
    assert last_start([ahead, now], now) == now
    assert not nightly_is_due(last_start([ahead, now], now), "02:30", PARIS, now + timedelta(minutes=5))


def test_a_clock_set_back_by_seconds_does_not_begin_a_second_run() -> None:
    now = utc("2026-11-23T01:30")
    assert not nightly_is_due(now + timedelta(seconds=5), "02:30", PARIS, now)
    assert last_start([now + timedelta(seconds=5)], now) == now + timedelta(seconds=5)


STEPS = st.lists(st.integers(1, 3 * 24 * 60), min_size=1, max_size=60)
ZONES = st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])


@given(STEPS, ZONES, st.sampled_from(["00:00", "02:30", "03:00", "23:59"]), st.integers(0, 730))
def test_over_any_looks_each_slot_is_used_once_by_the_first_look_after_it(
    steps: list[int], zone_name: str, at: str, day: int
) -> None:
    zone = ZoneInfo(zone_name)
    now = utc("2026-01-01T00:00") + timedelta(days=day)
    last = now
    used = {last_slot(at, zone, now)}
    for minutes in steps:
        now += timedelta(minutes=minutes)
        slot = last_slot(at, zone, now)
        assert slot <= now < slot + timedelta(hours=26)
        assert nightly_is_due(last, at, zone, now) == (slot not in used)
        if slot not in used:
            used.add(slot)
            last = now
    local_days = [slot.astimezone(zone).date() for slot in used]
    assert len(set(local_days)) == len(used)


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 1_500_000))
def test_the_next_slot_follows_the_last_one(hour: int, minute: int, passed: int) -> None:
    now, at = utc("2025-01-01T00:00") + timedelta(minutes=passed), f"{hour:02d}:{minute:02d}"
    following = next_slot(at, PARIS, now)
    assert now < following <= now + timedelta(hours=25)
    assert last_slot(at, PARIS, following) == following
