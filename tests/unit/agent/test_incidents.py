"""Incidents: each transition in a table, each trick of the clock by name, and no sequence that tells a thing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.incidents import Change, Finding, Incident, Phase, Severity, evaluate, forgotten

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BASE = Finding(
    "app_down",
    (("app", "blog"),),
    True,
    Severity.WARNING,
    wait=timedelta(seconds=30),
    clear_after=timedelta(seconds=60),
)


class Story:
    """Plays findings one after the other, and keeps what came of them."""

    def __init__(self, finding: Finding = BASE) -> None:
        self.finding, self.open, self.now = finding, dict[str, Incident](), NOW
        self.changes: list[Change] = []

    def see(self, active: bool | None, *, after: float = 0, quiet: bool = False, **changes: object) -> Phase | None:
        self.now += timedelta(seconds=after)
        finding = replace(self.finding, active=active, **changes)  # type: ignore[arg-type]
        for step in evaluate(self.open, [finding], self.now, quiet=quiet):
            self.open[step.incident.key] = step.incident
            if step.change:
                self.changes.append(step.change)
            if step.incident.phase is Phase.RESOLVED:
                del self.open[step.incident.key]
        return self.open[self.finding.key].phase if self.open else None


@pytest.mark.parametrize(
    ("seen", "phase", "changes"),
    [
        ([(False, 0)], None, []),
        ([(None, 0)], None, []),
        ([(True, 0)], Phase.PENDING, ["began"]),
        ([(True, 0), (True, 29)], Phase.PENDING, ["began"]),
        ([(True, 0), (True, 30)], Phase.FIRING, ["began", "fired"]),
        ([(True, 0), (False, 5)], None, ["began", "vanished"]),
        ([(True, 0), (None, 100)], Phase.PENDING, ["began"]),
        ([(True, 0), (True, 30), (True, 5)], Phase.FIRING, ["began", "fired"]),
        ([(True, 0), (True, 30), (None, 999)], Phase.FIRING, ["began", "fired"]),
        ([(True, 0), (True, 30), (False, 5)], Phase.CLEARING, ["began", "fired"]),
        ([(True, 0), (True, 30), (False, 5), (False, 59)], Phase.CLEARING, ["began", "fired"]),
        ([(True, 0), (True, 30), (False, 5), (None, 99)], Phase.CLEARING, ["began", "fired"]),
        ([(True, 0), (True, 30), (False, 5), (True, 5)], Phase.FIRING, ["began", "fired"]),
        ([(True, 0), (True, 30), (False, 5), (True, 5), (False, 5), (False, 59)], Phase.CLEARING, ["began", "fired"]),
        ([(True, 0), (True, 30), (False, 5), (False, 60)], None, ["began", "fired", "resolved"]),
        (
            [(True, 0), (True, 30), (False, 5), (False, 60), (True, 0)],
            Phase.PENDING,
            ["began", "fired", "resolved", "began"],
        ),
    ],
)
def test_each_transition(seen: list[tuple[bool | None, float]], phase: Phase | None, changes: list[str]) -> None:
    story = Story()
    for active, after in seen:
        last = story.see(active, after=after)
    assert (last, story.changes) == (phase, changes)


def test_a_rule_that_does_not_wait_fires_and_clears_at_once() -> None:
    story = Story(replace(BASE, wait=timedelta(0), clear_after=timedelta(0)))
    story.see(True)
    story.see(False)
    assert story.changes == [Change.FIRED, Change.RESOLVED]


def test_a_quiet_start_sees_but_does_not_fire_and_forgets_nothing() -> None:
    story = Story(replace(BASE, wait=timedelta(0)))
    assert story.see(True, quiet=True) is Phase.PENDING
    assert story.see(True, after=999, quiet=True) is Phase.PENDING
    assert story.see(True, after=1) is Phase.FIRING
    assert story.see(True, after=1, quiet=True) is Phase.FIRING
    assert story.changes == [Change.BEGAN, Change.FIRED]


def test_what_was_wrong_for_a_moment_during_a_quiet_start_is_never_told() -> None:
    story = Story(replace(BASE, wait=timedelta(0)))
    story.see(True, quiet=True)
    story.see(False, after=5)
    assert story.changes == [Change.BEGAN, Change.VANISHED]


def test_a_clock_set_back_a_day_makes_no_wait_longer_than_twice() -> None:
    story = Story()
    story.see(True)
    story.see(True, after=-86400)
    assert story.see(True, after=29) is Phase.PENDING
    assert story.see(True, after=1) is Phase.FIRING
    story.see(False)
    story.see(False, after=-86400)
    assert story.see(False, after=59) is Phase.CLEARING
    assert story.see(False, after=1) is None


def test_a_clock_set_forward_a_day_resolves_nothing_that_still_holds() -> None:
    story = Story()
    story.see(True)
    story.see(True, after=30)
    assert story.see(True, after=86400) is Phase.FIRING
    story.see(False, after=1)
    assert story.see(True, after=86400) is Phase.FIRING
    assert story.changes == [Change.BEGAN, Change.FIRED]


def test_what_gets_worse_is_told_and_what_gets_better_only_edits() -> None:
    story = Story(replace(BASE, wait=timedelta(0)))
    story.see(True)
    story.see(True, severity=Severity.CRITICAL)
    story.see(True, severity=Severity.CRITICAL)
    story.see(True, severity=Severity.INFO)
    story.see(True, severity=Severity.INFO, value={"percent": "91"})
    story.see(True, severity=Severity.INFO, value={"percent": "91"})
    assert story.changes == [Change.FIRED, Change.WORSE, Change.UPDATED, Change.UPDATED]


def test_the_figures_of_the_moment_of_firing_are_told() -> None:
    story = Story()
    story.see(True, value={"percent": "90"})
    story.see(True, after=30, value={"percent": "95"}, severity=Severity.CRITICAL)
    incident = story.open[BASE.key]
    assert (incident.value, incident.severity, incident.fired_at) == ({"percent": "95"}, Severity.CRITICAL, story.now)


def test_two_findings_with_one_key_are_one_incident() -> None:
    steps = evaluate({}, [BASE, replace(BASE, severity=Severity.CRITICAL), replace(BASE, active=False)], NOW)
    assert [(step.change, step.incident.severity) for step in steps] == [(Change.BEGAN, Severity.WARNING)]


def test_marks_stay_through_everything() -> None:
    story = Story(replace(BASE, wait=timedelta(0)))
    story.see(True)
    marked = replace(story.open[BASE.key], acked_by="léa", silenced_until=NOW + DAY, told=3, id=7)
    story.open[BASE.key] = marked
    story.see(True, severity=Severity.CRITICAL)
    story.see(False, after=1)
    story.see(True, after=1)
    after = story.open[BASE.key]
    assert (after.acked_by, after.silenced_until, after.told, after.id) == ("léa", NOW + DAY, 3, 7)
    assert after.silenced(NOW)
    assert not after.silenced(NOW + DAY)


def test_keys_of_different_labels_never_meet() -> None:
    tricky = [
        (("app", "a"), ("project", "b")),
        (("app", "a,project='b'"),),
        (("app", "a'"), ("project", "b")),
        (("app", 'a"'), ("project", "b")),
        (("app", "a"),),
        (),
    ]
    assert len({replace(BASE, labels=labels).key for labels in tricky}) == len(tricky)


def test_an_incident_whose_subject_is_gone_is_over() -> None:
    def at(key: str, phase: Phase, rule: str = "app_down") -> Incident:
        return Incident(key, rule, (), phase, Severity.INFO, {}, NOW)

    still = [
        at("known", Phase.FIRING),
        at("gone", Phase.FIRING),
        at("clearing", Phase.CLEARING),
        at("pending", Phase.PENDING),
        at("blind", Phase.FIRING, "disk_nearly_full"),
    ]
    steps = forgotten(still, frozenset({"known"}), frozenset({"app_down"}), NOW)
    assert [(step.incident.key, step.change) for step in steps] == [
        ("gone", Change.RESOLVED),
        ("clearing", Change.RESOLVED),
        ("pending", Change.VANISHED),
    ]
    assert all(step.incident.resolved_at == NOW for step in steps)


SEEN = st.tuples(
    st.sampled_from([True, True, False, False, None]),
    st.sampled_from([0, 1, 15, 30, 60, 61, 86400, -1, -86400]),
    st.booleans(),
    st.sampled_from(list(Severity)),
    st.sampled_from(["", "a", "b"]),
)


@settings(max_examples=300)
@given(st.lists(SEEN, max_size=40), st.sampled_from([0, 30]), st.sampled_from([0, 60]))
def test_over_any_sequence_each_thing_is_told_once_and_taken_back_once(
    seen: list[tuple[bool | None, float, bool, Severity, str]], wait: int, clear_after: int
) -> None:
    story = Story(replace(BASE, wait=timedelta(seconds=wait), clear_after=timedelta(seconds=clear_after)))
    for active, after, quiet, severity, value in seen:
        before = story.open.get(BASE.key)
        told = len(story.changes)
        story.see(active, after=after, quiet=quiet, severity=severity, value={"v": value})
        new = story.changes[told:]
        assert len(new) <= 1
        if active is None:
            assert story.open.get(BASE.key) == before
            assert new == []
        if quiet:
            assert Change.FIRED not in new
        if Change.RESOLVED in new:
            assert active is False
    is_told = False
    for change in story.changes:
        if change is Change.FIRED:
            assert not is_told, "never told twice"
            is_told = True
        elif change is Change.RESOLVED:
            assert is_told, "nothing is taken back that was not told"
            is_told = False
        elif change in {Change.WORSE, Change.UPDATED}:
            assert is_told
        else:
            assert not is_told
    assert is_told == (BASE.key in story.open and story.open[BASE.key].phase is not Phase.PENDING)
