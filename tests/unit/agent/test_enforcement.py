"""What the ladder may really do: a table of the rules, and what holds over any course of events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.enforcement import EVERYTHING, Around, Order, Verdict, orders, verdict
from agent.quota_agreements import Agreement
from agent.quotas import QuotaStep, Standing, next_standing
from coloc.config.values import Limit
from coloc.verbs import Held, by_key, needs_human

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FINE, WARN, THROTTLE, HARD = QuotaStep
ORDER = list(QuotaStep)
AGREED = Agreement("velo", "", "cpu", Limit(soft=80, hard=100), DAY, "hard", True)
YES = frozenset({("velo", "", "cpu", "hard")})


def standing(step: QuotaStep, used: float | None = 101, *, days: float = 99) -> Standing:
    return Standing("velo", "cpu", step, NOW, used, watched_since=NOW - days * DAY)


def holding(step: QuotaStep, *, days: float = 9, stands: bool = True) -> Held | None:
    if step is FINE:
        return None
    return Held("velo", "", "cpu", str(step), NOW - days * DAY, 101, 100, "did", "call", stands=stands)


@pytest.mark.parametrize(
    ("ladder", "before", "after", "why"),
    [
        (FINE, FINE, FINE, ""),
        (WARN, FINE, FINE, ""),
        (THROTTLE, FINE, THROTTLE, ""),
        (HARD, FINE, THROTTLE, ""),  # one step at a time, however long the simulation has stood higher
        (THROTTLE, THROTTLE, THROTTLE, ""),
        (HARD, THROTTLE, HARD, ""),
        (HARD, HARD, HARD, ""),
        (FINE, HARD, FINE, ""),
        (WARN, HARD, FINE, ""),
        (FINE, THROTTLE, FINE, ""),
    ],
)
def test_the_steps_follow_the_ladder_one_by_one(
    ladder: QuotaStep, before: QuotaStep, after: QuotaStep, why: str
) -> None:
    found = verdict(AGREED, standing(ladder), holding(before), Around(confirmed=YES), NOW)
    assert (found.step, found.why) == (after, why)


@pytest.mark.parametrize(
    ("agreed", "around", "days", "why", "detail"),
    [
        (replace(AGREED, enforced=False), Around(), 99, "simulation", ""),
        (AGREED, Around(), 13.9, "simulated first", "1"),
        (AGREED, Around(), 0, "simulated first", "14"),
        (AGREED, Around(simulate_for=timedelta(0)), 0, "", ""),
        (AGREED, Around(yields={EVERYTHING: "YunoHost is at work"}), 99, "gives way", "YunoHost is at work"),
        (AGREED, Around(yields={"project velo": "backup"}), 99, "gives way", "backup"),
        (AGREED, Around(yields={"project chorale": "backup", "app velo": "x"}), 99, "", ""),
        (replace(AGREED, app="blog"), Around(yields={"app blog": "upgrade"}), 99, "gives way", "upgrade"),
        (replace(AGREED, app="blog"), Around(yields={"project velo": "upgrade"}), 99, "gives way", "upgrade"),
        (AGREED, Around(cannot={"cpu": "no controller"}), 99, "cannot enforce here", "no controller"),
        (AGREED, Around(cannot={"io": "no controller"}), 99, "", ""),
        (AGREED, Around(released={AGREED.key: NOW + DAY}), 99, "released by hand", ""),
        (AGREED, Around(released={AGREED.key: NOW}), 99, "", ""),
    ],
)
@pytest.mark.parametrize("before", [FINE, THROTTLE, HARD])
def test_what_is_in_the_way_gives_everything_back(
    agreed: Agreement, around: Around, days: float, why: str, detail: str, before: QuotaStep
) -> None:
    found = verdict(agreed, standing(THROTTLE, days=days), holding(before), around, NOW)
    assert (found.step, found.why, found.detail) == (FINE if why else THROTTLE, why, detail)


@pytest.mark.parametrize(("allow", "step"), [("warn", FINE), ("throttle", THROTTLE), ("hard", HARD)])
def test_never_further_than_was_allowed(allow: str, step: QuotaStep) -> None:
    agreed = replace(AGREED, allow=allow)
    assert verdict(agreed, standing(HARD), holding(THROTTLE), Around(confirmed=YES), NOW).step is step


def test_the_second_step_waits_for_the_grace_after_the_first() -> None:
    early = verdict(AGREED, standing(HARD), holding(THROTTLE, days=0.9), Around(confirmed=YES), NOW)
    assert (early.step, early.why) == (THROTTLE, "grace")
    assert verdict(AGREED, standing(HARD), holding(THROTTLE, days=1), Around(confirmed=YES), NOW).step is HARD
    ahead = verdict(AGREED, standing(HARD), holding(THROTTLE, days=-400), Around(confirmed=YES), NOW)
    assert ahead.step is THROTTLE  # a clock that was ahead makes us wait, never act early


@pytest.mark.parametrize(
    ("resource", "ladder", "before", "step"),
    [("cpu", HARD, THROTTLE, "hard"), ("database", THROTTLE, FINE, "throttle"), ("database", HARD, THROTTLE, "hard")],
)
def test_hard_and_database_steps_wait_for_a_human(
    resource: str, ladder: QuotaStep, before: QuotaStep, step: str
) -> None:
    agreed = replace(AGREED, resource=resource)
    waits = verdict(agreed, standing(ladder), holding(before), Around(), NOW)
    assert (waits.step, waits.why, waits.detail) == (before, "waits for a human", step)
    confirmed = Around(confirmed=frozenset({("velo", "", resource, step)}))
    assert verdict(agreed, standing(ladder), holding(before), confirmed, NOW).step == step


@pytest.mark.parametrize("before", [FINE, THROTTLE, HARD])
def test_without_a_measure_what_is_held_stays_held(before: QuotaStep) -> None:
    found = verdict(AGREED, standing(HARD, None), holding(before), Around(confirmed=YES), NOW)
    assert (found.step, found.why) == (before, "not measured")


def test_what_must_be_given_back_comes_first_also_of_limits_that_are_gone() -> None:
    gone = replace(holding(HARD) or pytest.fail(), project="gone")
    other = replace(AGREED, resource="io")
    held = by_key([gone, replace(gone, project="velo", resource="io")])
    verdicts = [Verdict(AGREED, THROTTLE, ""), Verdict(other, FINE, "gives way")]
    assert orders(verdicts, {AGREED.key: standing(THROTTLE)}, held) == [
        Order("release", gone.key),
        Order("release", ("velo", "", "io")),
        Order("hold", AGREED.key, THROTTLE, 101),
    ]


@pytest.mark.parametrize(("stands", "asked"), [(True, 0), (False, 1)])
def test_what_the_kernel_has_lost_is_held_again(stands: bool, asked: int) -> None:
    held = by_key([holding(THROTTLE, stands=stands) or pytest.fail()])
    assert len(orders([Verdict(AGREED, THROTTLE, "")], {}, held)) == asked


looks = st.tuples(
    st.none() | st.floats(0, 300),
    st.floats(0, 3),
    st.booleans(),  # YunoHost at work
    st.booleans(),  # confirmed
    st.booleans(),  # the order is lost: the helper was killed
)


@given(
    st.lists(looks, max_size=40), st.sampled_from(["warn", "throttle", "hard"]), st.sampled_from(["cpu", "database"])
)
def test_over_any_course_of_events(
    course: list[tuple[float | None, float, bool, bool, bool]], allow: str, resource: str
) -> None:
    agreed = replace(AGREED, allow=allow, resource=resource)
    now, ladder, held = NOW, replace(standing(FINE), resource=resource), None
    for used, days, busy, yes, lost in course:
        now += days * DAY
        ladder = next_standing(ladder, agreed.limit, used, DAY, now)
        steps = frozenset((*agreed.key, step) for step in ("throttle", "hard")) if yes else frozenset()
        around = Around(yields={EVERYTHING: "x"} if busy else {}, confirmed=steps)
        found = verdict(agreed, ladder, held, around, now)
        before = QuotaStep(held.step) if held else FINE
        assert found.step is not WARN
        assert ORDER.index(found.step) <= ORDER.index(QuotaStep(allow))
        assert ORDER.index(found.step) <= max(ORDER.index(before) + 1, ORDER.index(THROTTLE))
        assert not busy or found.step is FINE
        if ladder.used is not None:
            assert ORDER.index(found.step) <= ORDER.index(ladder.step)
        if ORDER.index(found.step) > ORDER.index(before):
            assert yes or not needs_human(resource, found.step)
        if not lost and found.step is not before:
            made = Held("velo", "", resource, str(found.step), now, used, 100, "did", "call", stands=True)
            held = None if found.step is FINE else made
