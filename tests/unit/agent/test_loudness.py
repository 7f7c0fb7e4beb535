"""How loudly: quiet hours, level of service, marks; a table each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.incidents import Finding, Incident, Phase, Severity
from agent.loudness import Loudness, by_service, is_night, loudness
from agent.rule_spec import Concern
from agent.silences import Silence, is_silenced

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
DOWN = Incident("k", "app_down", (("app", "blog"),), Phase.FIRING, Severity.CRITICAL, {}, NOW, id=1)


@pytest.mark.parametrize(
    ("at", "hours", "night"),
    [
        ("2026-11-23T20:59+00:00", "22:00-08:00", False),
        ("2026-11-23T21:00+00:00", "22:00-08:00", True),
        ("2026-11-24T06:59+00:00", "22:00-08:00", True),
        ("2026-11-24T07:00+00:00", "22:00-08:00", False),
        ("2026-07-24T06:00+00:00", "22:00-08:00", False),  # summer time
        ("2026-11-24T12:00+00:00", "12:00-14:00", True),
        ("2026-11-24T12:00+00:00", "00:00-00:00", False),
        ("2026-11-24T02:00+00:00", None, False),
    ],
)
def test_the_night_goes_by_the_clock_on_the_wall(at: str, hours: str | None, night: bool) -> None:
    assert is_night(datetime.fromisoformat(at), hours, PARIS) is night


@pytest.mark.parametrize(
    ("severity", "concern", "service", "by_night"),
    [
        (Severity.CRITICAL, Concern.MACHINE, "", Loudness.RINGS),
        (Severity.CRITICAL, Concern.DATA, "best_effort", Loudness.RINGS),
        (Severity.CRITICAL, Concern.APP, "high", Loudness.RINGS),
        (Severity.CRITICAL, Concern.APP, "standard", Loudness.NIGHT),
        (Severity.CRITICAL, Concern.HOUSE, "", Loudness.NIGHT),
        (Severity.WARNING, Concern.MACHINE, "", Loudness.NIGHT),
        (Severity.WARNING, Concern.APP, "high", Loudness.NIGHT),
        (Severity.INFO, Concern.DATA, "", Loudness.NIGHT),
    ],
)
def test_at_night_only_what_is_worth_it_rings(
    severity: Severity, concern: Concern, service: str, by_night: Loudness
) -> None:
    incident = replace(DOWN, severity=severity)
    by_day = Loudness.QUIET if severity is Severity.INFO else Loudness.RINGS
    assert loudness(incident, concern, service, NOW, night=True, silenced=False) is by_night
    assert loudness(incident, concern, service, NOW, night=False, silenced=False) is by_day


@pytest.mark.parametrize(
    ("marks", "silenced", "found"),
    [
        ({"cause": 7}, False, Loudness.INHIBITED),
        ({"cause": 7, "silenced_until": NOW + HOUR}, True, Loudness.INHIBITED),
        ({"silenced_until": NOW + HOUR}, False, Loudness.SILENCED),
        ({"silenced_until": NOW}, False, Loudness.RINGS),
        ({}, True, Loudness.SILENCED),
    ],
)
def test_marks_make_a_word_wait(marks: dict[str, object], silenced: bool, found: Loudness) -> None:
    incident = replace(DOWN, **marks)  # type: ignore[arg-type]
    assert loudness(incident, Concern.MACHINE, "", NOW, night=False, silenced=silenced) is found


@pytest.mark.parametrize(
    ("service", "severity"),
    [("best_effort", Severity.WARNING), ("standard", Severity.CRITICAL), ("high", Severity.CRITICAL)],
)
def test_the_severity_follows_the_level_of_service(service: str, severity: Severity) -> None:
    finding = Finding("app_down", (("app", "blog"),), True, Severity.CRITICAL)
    assert by_service(finding, Concern.APP, service).severity is severity
    assert by_service(finding, Concern.DATA, service).severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("silence", "covers"),
    [
        (Silence(NOW, NOW + HOUR, "léa"), True),
        (Silence(NOW, NOW + HOUR, "léa", rule="app_*"), True),
        (Silence(NOW, NOW + HOUR, "léa", rule="backup_*"), False),
        (Silence(NOW, NOW + HOUR, "léa", labels={"app": "bl*"}), True),
        (Silence(NOW, NOW + HOUR, "léa", labels={"app": "blog", "host": "*"}), False),
        (Silence(NOW - 2 * HOUR, NOW, "léa"), False),
        (Silence(NOW + HOUR, NOW + 2 * HOUR, "léa"), False),
        (Silence(NOW, NOW + timedelta(days=400), "léa"), False),  # of a clock that was ahead
    ],
)
def test_a_silence_covers_what_it_names_while_it_lasts(silence: Silence, covers: bool) -> None:
    assert is_silenced(DOWN, [silence], NOW) is covers
