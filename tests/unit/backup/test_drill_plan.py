"""Whose turn it is, and how much of it: the longest unproven first, never more than the purse, a part is no whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backup.drill_plan import LEAST_BYTES, Pair, Purse, due, is_chosen, plan_turns

NOW = datetime(2026, 11, 25, 5, tzinfo=UTC)
MONTH = timedelta(days=30)
MB = 1_000_000


def pair(app: str, *, size: int = 10 * MB, host: str = "merle", **days: float) -> Pair:
    ago = {name: NOW - timedelta(days=value) for name, value in days.items()}
    return Pair(app, host, size, ago.get("whole"), ago.get("tried"))


def test_what_was_proven_longest_ago_comes_first_and_what_never_was_before_all() -> None:
    pairs = [pair("a", whole=40, tried=40), pair("b", whole=90, tried=31), pair("c"), pair("d", whole=5, tried=5)]
    assert [each.app for each in due(pairs, every=MONTH, now=NOW)] == ["c", "b", "a"]


def test_a_drill_that_failed_is_due_the_next_day_and_a_part_after_a_month() -> None:
    failed = Pair("a", "merle", 1, None, NOW - timedelta(hours=23), tried_ok=False)
    part = Pair("b", "merle", 1, None, NOW - timedelta(days=10))
    assert due([failed, part], every=MONTH, now=NOW) == [failed]
    assert due([failed], every=MONTH, now=NOW - timedelta(hours=10)) == []


def test_a_try_in_the_future_was_written_by_a_wrong_clock() -> None:
    ahead = Pair("a", "merle", 1, None, NOW + timedelta(days=400))
    assert due([ahead], every=MONTH, now=NOW) == [ahead]


def test_a_large_app_takes_its_share_and_small_ones_are_proven_whole() -> None:
    turns = plan_turns([pair("large", size=900 * MB), pair("small"), pair("other")], Purse(10**12, {"merle": 90 * MB}))
    assert [(turn.pair.app, turn.bytes, turn.whole) for turn in turns] == [
        ("large", 30 * MB, False),
        ("small", 10 * MB, True),
        ("other", 10 * MB, True),
    ]


def test_an_empty_purse_proves_nothing_and_another_host_has_its_own() -> None:
    turns = plan_turns([pair("a"), pair("a", host="disk")], Purse(10**9, {"merle": 0, "disk": None}))
    assert [turn.pair.host for turn in turns] == ["disk"]


PAIRS = st.lists(
    st.builds(
        Pair,
        st.sampled_from("abcdefgh"),
        st.sampled_from(["merle", "pie"]),
        st.integers(0, 10**10),
        st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2026, 11, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda each: (each.app, each.host),
)
LIMIT = st.none() | st.integers(0, 10**10)


@given(PAIRS, st.integers(0, 10**10), LIMIT, LIMIT)
def test_no_plan_spends_more_than_the_purse(pairs: list[Pair], most: int, merle: int | None, pie: int | None) -> None:
    limits = {"merle": merle, "pie": pie}
    waiting = due(pairs, every=MONTH, now=NOW)
    turns = plan_turns(waiting, Purse(most, limits))
    assert sum(turn.bytes for turn in turns) <= most
    for host, limit in limits.items():
        assert limit is None or sum(turn.bytes for turn in turns if turn.pair.host == host) <= limit
    assert [turn.pair for turn in turns] == [each for each in waiting if each in [turn.pair for turn in turns]]
    assert all(turn.bytes <= turn.pair.bytes and (turn.whole or turn.bytes >= LEAST_BYTES) for turn in turns)
    if turns and turns[0].pair != waiting[0]:  # the first was passed over only because there was nothing for it
        limit = limits[waiting[0].host]
        there = most if limit is None else min(most, limit)
        assert waiting[0].bytes > there


@given(st.lists(st.text(), max_size=20), st.floats(0, 1))
def test_a_part_is_the_same_for_one_seed_and_grows_with_its_ratio(paths: list[str], ratio: float) -> None:
    for path in paths:
        assert is_chosen(path, "seed", 1.0)
        assert not is_chosen(path, "seed", 0.0)
        assert is_chosen(path, "seed", ratio) <= is_chosen(path, "seed", min(1.0, ratio + 0.1))
