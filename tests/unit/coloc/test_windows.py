"""Windows of hosts, over midnight and over both changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc.windows import closes_at, is_within

PARIS = ZoneInfo("Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "closes"),
    [
        ("22:00-06:00", "2026-11-23T21:00", "2026-11-24T05:00"),
        ("22:00-06:00", "2026-11-24T04:59", "2026-11-24T05:00"),
        ("22:00-06:00", "2026-11-24T05:00", None),
        ("22:00-06:00", "2026-11-24T20:59", None),
        ("01:00-05:00", "2026-11-24T00:30", "2026-11-24T04:00"),
        ("22:00-06:00", "2026-10-24T22:00", "2026-10-25T05:00"),  # the night with an hour more
        ("22:00-06:00", "2026-03-28T22:00", "2026-03-29T04:00"),  # and with an hour less
    ],
)
def test_when_a_window_closes(window: str, now: str, closes: str | None) -> None:
    assert closes_at(window, PARIS, utc(now)) == (utc(closes) if closes else None)


CLOCKS = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")


@given(CLOCKS, CLOCKS, st.integers(0, 1_500_000))
def test_an_open_window_closes_within_a_day_and_holds_the_present(begin: str, end: str, minutes: int) -> None:
    if begin == end:
        return
    now = utc("2025-01-01T00:00") + timedelta(minutes=minutes)
    closes = closes_at(f"{begin}-{end}", PARIS, now)
    assert closes is None or now < closes <= now + timedelta(hours=25)
    far_from_change = all(
        (now + timedelta(days=days)).astimezone(PARIS).utcoffset() == now.astimezone(PARIS).utcoffset()
        for days in (-2, 2)
    )
    if far_from_change:
        assert (closes is not None) == is_within(f"{begin}-{end}", f"{now.astimezone(PARIS):%H:%M}")
