"""What is posted to Alertmanager of our incidents: which ones, with which labels, from when to when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.alertmanager_alerts import alerts_of, body_of
from agent.alertmanager_post import poster_of
from agent.incidents import Incident, Phase, Severity
from coloc.config.whole import Config
from coloc.errors import ConfigError
from coloc.times import parse_iso

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
CONFIG = Config.model_validate({"coloc": {"name": "hautepierre", "language": "en"}})
DOWN = Incident(
    "app_down{app='nuage'}",
    "app_down",
    (("app", "nuage"), ("project", "velo"), ("empty", "")),
    Phase.FIRING,
    Severity.WARNING,
    {},
    pending_since=NOW - timedelta(minutes=10),
    fired_at=NOW - timedelta(minutes=8),
    id=7,
)


def test_an_incident_is_told_apart_by_its_labels_and_says_where_it_comes_from() -> None:
    (alert,) = body_of(alerts_of([DOWN], CONFIG, NOW), (), NOW, 60)
    assert alert["labels"] == {
        "alertname": "app_down",
        "app": "nuage",
        "project": "velo",
        "coloc": "hautepierre",
        "severity": "warning",
        "incident": "7",
        "sent_by": "coloc-agent",
    }
    assert "(nuage) is down" in alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"] == "docs/runbook/app_down.md"
    assert parse_iso(alert["startsAt"]) == DOWN.fired_at
    assert parse_iso(alert["endsAt"]) == NOW + timedelta(minutes=4)


def test_what_is_over_ends_when_it_did() -> None:
    over = replace(DOWN, phase=Phase.RESOLVED, resolved_at=NOW - timedelta(minutes=2))
    (alert,) = body_of(alerts_of([over], CONFIG, NOW), (), NOW, 60)
    assert parse_iso(alert["endsAt"]) == NOW - timedelta(minutes=2)


@pytest.mark.parametrize("why", ["silenced", "inhibited"])
def test_what_begins_quiet_stays_away_and_what_is_silenced_later_does_not_end_there(why: str) -> None:
    quiet = replace(DOWN, held=why)
    assert alerts_of([quiet], CONFIG, NOW) == []
    assert [each.incident for each in alerts_of([quiet], CONFIG, NOW, alerts_of([DOWN], CONFIG, NOW))] == [7]


def test_the_night_keeps_nothing_from_alertmanager_and_pending_is_nothing_yet() -> None:
    assert len(alerts_of([replace(DOWN, held="night")], CONFIG, NOW)) == 1
    assert alerts_of([replace(DOWN, phase=Phase.PENDING, fired_at=None)], CONFIG, NOW) == []


def test_what_grew_worse_is_another_alert_and_the_milder_one_ends() -> None:
    before = alerts_of([DOWN], CONFIG, NOW)
    after = alerts_of([replace(DOWN, severity=Severity.CRITICAL, loudest=Severity.CRITICAL)], CONFIG, NOW)
    worse, milder = body_of(after, before, NOW, 60)
    assert (worse["labels"]["severity"], parse_iso(worse["endsAt"]) > NOW) == ("critical", True)
    assert (milder["labels"]["severity"], parse_iso(milder["endsAt"])) == ("warning", NOW)


def test_an_end_that_has_aged_out_is_not_told_as_a_new_end() -> None:
    over = alerts_of([replace(DOWN, resolved_at=NOW - timedelta(minutes=16))], CONFIG, NOW)
    assert body_of((), over, NOW, 60) == []


moments = st.integers(1_600_000_000, 2_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(fired=moments, over=st.none() | moments, now=moments, name=st.text(max_size=6000))
def test_whatever_the_clock_did_an_alert_begins_before_it_ends(
    fired: datetime, over: datetime | None, now: datetime, name: str
) -> None:
    incident = replace(DOWN, labels=(("app", name),), fired_at=fired, resolved_at=over)
    for alert in body_of(alerts_of([incident], CONFIG, now), (), now, 60):
        assert parse_iso(alert["startsAt"]) <= parse_iso(alert["endsAt"])
        assert all(len(value) <= 4000 for value in [*alert["labels"].values(), *alert["annotations"].values()])


def test_incidents_do_not_go_in_clear_over_the_network() -> None:
    config = {"coloc": {"name": "c"}, "stage": "alert", "alertmanager": {"url": "http://am.example.org:9093"}}
    with pytest.raises(ConfigError):
        poster_of(Config.model_validate(config))
