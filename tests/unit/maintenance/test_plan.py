"""A maintenance as a table of what is asked and what time does; and what holds whatever happens to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents import Incident, Severity
from agent.incidents import Phase as IncidentPhase
from agent.maintenance.plan import LONGEST, Maintenance, Phase, Trouble, Word, as_asked, by_the_clock, declared

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LATER = NOW + 10 * HOUR


def one(begins_at: datetime = LATER, length: timedelta = HOUR) -> Maintenance:
    made = declared("Upgrade", "léa", NOW, begins_at, length, app="blog")
    assert isinstance(made, Maintenance)
    return made


def running() -> Maintenance:
    return by_the_clock(one(NOW), NOW)[0]


@pytest.mark.parametrize(
    ("after", "phase", "word"),
    [
        (8 * HOUR, Phase.DECLARED, None),
        (9 * HOUR, Phase.DECLARED, Word.REMINDED),
        (10 * HOUR, Phase.RUNNING, Word.STARTED),
        (30 * HOUR, Phase.RUNNING, Word.STARTED),  # the agent was away
    ],
)
def test_time_reminds_and_begins(after: timedelta, phase: Phase, word: Word | None) -> None:
    then, said = by_the_clock(one(), NOW + after)
    assert (then.phase, said) == (phase, word)
    assert then.started_at == (LATER if phase is Phase.RUNNING else None)


def test_each_word_of_time_is_said_once() -> None:
    then, _ = by_the_clock(one(), NOW + 9 * HOUR)
    assert by_the_clock(then, NOW + 9 * HOUR + MINUTE) == (then, None)
    late, word = by_the_clock(running(), NOW + HOUR)
    assert (word, late.overrun) == (Word.OVERRUN, True)
    assert by_the_clock(late, NOW + 9 * HOUR) == (late, None)


def test_who_declares_it_within_the_hour_needs_no_reminder() -> None:
    soon = one(NOW + HOUR)
    assert by_the_clock(soon, NOW + 30 * MINUTE) == (soon, None)


@pytest.mark.parametrize(
    ("begins_at", "length"),
    [(NOW, timedelta(0)), (NOW, LONGEST + MINUTE), (NOW + timedelta(days=91), HOUR), (NOW, -HOUR)],
)
def test_what_is_too_long_or_too_far_ahead_is_refused(begins_at: datetime, length: timedelta) -> None:
    assert declared("x", "léa", NOW, begins_at, length) is Trouble.TOO_LONG


def test_a_beginning_in_the_past_is_now() -> None:
    assert one(NOW - 5 * HOUR).ends_at == NOW + HOUR


@pytest.mark.parametrize(
    ("before", "verb", "span", "expected"),
    [
        (one(), "start", timedelta(0), (Phase.RUNNING, Word.STARTED, NOW + HOUR)),
        (one(), "extend", HOUR, (Phase.DECLARED, Word.EXTENDED, LATER + 2 * HOUR)),
        (one(), "cancel", timedelta(0), (Phase.CANCELLED, Word.CANCELLED, LATER + HOUR)),
        (one(), "end", timedelta(0), Trouble.NOT_BEGUN),
        (running(), "start", timedelta(0), Trouble.BEGUN),
        (running(), "cancel", timedelta(0), Trouble.BEGUN),
        (running(), "extend", HOUR, (Phase.RUNNING, Word.EXTENDED, NOW + 2 * HOUR)),
        (running(), "extend", LONGEST, Trouble.TOO_LONG),
        (running(), "extend", timedelta(0), Trouble.TOO_LONG),
        (running(), "end", timedelta(0), (Phase.ENDED, Word.ENDED, NOW + HOUR)),
        (replace(running(), phase=Phase.ENDED), "end", timedelta(0), Trouble.OVER),
        (replace(one(), phase=Phase.CANCELLED), "start", timedelta(0), Trouble.OVER),
    ],
)
def test_what_people_ask_for(
    before: Maintenance, verb: str, span: timedelta, expected: tuple[Phase, Word, datetime] | Trouble
) -> None:
    done = as_asked(before, verb, NOW, span)
    if isinstance(expected, Trouble):
        assert done is expected
    else:
        assert isinstance(done, tuple)
        after, word = done
        assert (after.phase, word, after.ends_at) == expected


def test_one_that_overruns_is_extended_from_now_and_quiet_again() -> None:
    late, _ = by_the_clock(running(), NOW + 5 * HOUR)
    assert not late.is_quiet(NOW + 5 * HOUR)
    done = as_asked(late, "extend", NOW + 5 * HOUR, HOUR)
    assert isinstance(done, tuple)
    assert done[0].ends_at == NOW + 6 * HOUR
    assert done[0].is_quiet(NOW + 5 * HOUR)


@pytest.mark.parametrize(
    ("app", "project", "labels", "covered"),
    [
        ("blog", "", (("app", "blog"), ("project", "chorale")), True),
        ("blog", "", (("app", "wiki"), ("project", "chorale")), False),
        ("blog", "", (("project", "chorale"),), False),
        ("", "chorale", (("app", "blog"), ("project", "chorale")), True),
        ("", "chorale", (("app", "nuage"), ("project", "velo")), False),
        ("", "chorale", (("filesystem", "/"),), False),
        ("", "", (("filesystem", "/"),), True),
    ],
)
def test_what_it_covers(app: str, project: str, labels: tuple[tuple[str, str], ...], covered: bool) -> None:
    incident = Incident("k", "app_down", labels, IncidentPhase.FIRING, Severity.WARNING, {}, NOW)
    assert replace(running(), app=app, project=project).covers(incident) is covered


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["clock", "start", "extend", "end", "cancel"]),
        st.integers(-200_000, 400_000),  # seconds that the clock moves, also back
        st.integers(-10, 1_000_000),
    ),
    max_size=12,
)


@given(STEPS)
def test_whatever_happens_it_ends_once_and_is_never_quiet_for_longer_than_can_be_asked(
    steps: list[tuple[str, int, int]],
) -> None:
    now, known, over = NOW, one(), 0
    for verb, moved, span in steps:
        now += timedelta(seconds=moved)
        done = by_the_clock(known, now) if verb == "clock" else as_asked(known, verb, now, timedelta(seconds=span))
        if not isinstance(done, Trouble):
            over += done[1] in {Word.ENDED, Word.CANCELLED}
            assert not known.is_over or done[1] is None
            known = done[0]
        assert known.is_over == bool(over) == (known.ended_at is not None)
        assert over <= 1
        assert (known.started_at is not None) == (known.phase in {Phase.RUNNING, Phase.ENDED})
        if known.is_quiet(now):
            assert known.phase is Phase.RUNNING
            assert not known.is_quiet(now + LONGEST + 2 * HOUR)
