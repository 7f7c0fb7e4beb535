"""The quota ladder as a table: one step at a time, after the grace, and back at once below the mark of release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.quota_glance import FRENCH
from agent.quotas import QuotaStep, Standing, next_standing, would_do
from coloc.config.projects import RESOURCES
from coloc.config.values import Limit

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GRACE = timedelta(days=7)
LIMIT = Limit(soft=80, hard=100)
FINE, WARN, THROTTLE, HARD = QuotaStep
ORDER = list(QuotaStep)


def step(before: QuotaStep, used: float | None, days: float = 0) -> Standing:
    return next_standing(Standing("p", "disk", before, NOW - timedelta(days=days)), LIMIT, used, GRACE, NOW)


@pytest.mark.parametrize(
    ("before", "used", "days", "after"),
    [
        (FINE, 0, 0, FINE),
        (FINE, 80, 99, FINE),
        (FINE, 80.1, 0, WARN),
        (FINE, 1e18, 99, WARN),  # one step, however much and however long
        (WARN, 100, 99, WARN),
        (WARN, 100.1, 6.99, WARN),
        (WARN, 100.1, 7, THROTTLE),
        (WARN, 1e18, 99, THROTTLE),
        (THROTTLE, 100.1, 6.99, THROTTLE),
        (THROTTLE, 100.1, 7, HARD),
        (HARD, 1e18, 999, HARD),
        (WARN, 70, 99, WARN),  # between the marks nothing changes
        (THROTTLE, 64, 99, THROTTLE),
        (WARN, 63.9, 0, FINE),
        (THROTTLE, 63.9, 0, FINE),
        (HARD, 0, 0, FINE),
        (FINE, None, 99, FINE),
        (WARN, None, 99, WARN),
        (HARD, None, 99, HARD),
        (WARN, float("nan"), 99, WARN),
        (HARD, float("nan"), 99, HARD),
        (FINE, float("inf"), 0, WARN),
    ],
)
def test_the_ladder(before: QuotaStep, used: float | None, days: float, after: QuotaStep) -> None:
    assert step(before, used, days).step is after


def test_a_new_step_counts_from_now_and_an_old_one_from_then() -> None:
    assert step(WARN, 101, days=7).since == NOW
    assert step(WARN, 90, days=7).since == NOW - timedelta(days=7)


def test_a_clock_set_back_does_not_lengthen_the_grace() -> None:
    ahead = Standing("p", "disk", WARN, NOW + timedelta(days=365))
    here = next_standing(ahead, LIMIT, 101, GRACE, NOW)
    assert (here.step, here.since) == (WARN, NOW)
    assert next_standing(here, LIMIT, 101, GRACE, NOW + GRACE).step is THROTTLE


def test_what_enforcement_would_have_done_is_counted_and_a_warning_or_release_is_not() -> None:
    standing = Standing("p", "disk", FINE, NOW)
    counts = []
    for days, used in ((0, 101), (7, 101), (14, 101), (21, 101), (22, 0), (23, 101)):
        standing = next_standing(standing, LIMIT, used, GRACE, NOW + timedelta(days=days))
        counts.append((standing.step, standing.would_have_acted))
    assert counts == [(WARN, 0), (THROTTLE, 1), (HARD, 2), (HARD, 2), (FINE, 2), (WARN, 2)]


def test_without_grace_each_look_is_one_step() -> None:
    standing = Standing("p", "disk", FINE, NOW)
    steps = []
    for _ in range(4):
        standing = next_standing(standing, LIMIT, 101, timedelta(0), NOW)
        steps.append(standing.step)
    assert steps == [WARN, THROTTLE, HARD, HARD]


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_step_of_every_resource_has_words(resource: str) -> None:
    words = [would_do(Standing("p", resource, each, NOW)) for each in QuotaStep]
    assert words[:2] == ["nothing", "tell the project"]
    assert set(words) <= FRENCH.keys()


@given(st.lists(st.tuples(st.none() | st.floats(0, 300), st.integers(-10, 10)), max_size=30))
def test_over_any_use_the_ladder_is_climbed_one_step_at_a_time(looks: list[tuple[float | None, int]]) -> None:
    standing, now = Standing("p", "disk", FINE, NOW), NOW
    for used, days in looks:
        now += timedelta(days=days)
        after = next_standing(standing, LIMIT, used, GRACE, now)
        assert ORDER.index(after.step) <= ORDER.index(standing.step) + 1
        assert after.since <= now
        if ORDER.index(after.step) < ORDER.index(standing.step):
            assert after.step is FINE
            assert used is not None
            assert used < 64
        if used is None:
            assert after.step is standing.step
        standing = after
