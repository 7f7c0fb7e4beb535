"""The report of an incident: in both languages, and nothing from outside is markup in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents import Change
from alerts.messages import IncidentText
from alerts.report import _LINES, Happening, incident_report, span

PARIS = ZoneInfo("Europe/Paris")
SINCE = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


def report(name: str = "Tchat", who: str = "Léa", language: str = "fr") -> str:
    incident = IncidentText(
        7,
        "app_down",
        {"app": "mattermost"},
        "critical",
        "resolved",
        SINCE,
        until=SINCE + timedelta(minutes=65),
        value={"label": name, "units": name},
        acked_by=who,
    )
    happened = [Happening(SINCE, "fired"), Happening(SINCE, "told", "matrix"), Happening(SINCE, "ack", who)]
    return incident_report(incident, happened, language, PARIS, coloc=name, runbook="docs/runbook/app_down.md")


def test_a_report_in_french() -> None:
    assert report().splitlines() == [
        "# Tchat \\(mattermost\\) est arrêtée \\[#7\\]",
        "",
        "- Tchat, critique",
        "- De 2026-11-23 02:30 +01:00 à 2026-11-23 03:35 +01:00 (1 h 05 min)",
        "- Unités : Tchat",
        "- Pris en charge par Léa",
        "",
        "## Ce qui s'est passé",
        "",
        "- 2026-11-23 02:30 +01:00 — c'est un incident : il a duré autant que sa règle attend",
        "- 2026-11-23 02:30 +01:00 — annoncé sur matrix",
        "- 2026-11-23 02:30 +01:00 — pris en charge par Léa",
        "",
        "## Que faire",
        "",
        "Regarde son journal : journalctl -u mattermost -n 50 ; puis : systemctl restart mattermost",
        "",
        "Fiche: `docs/runbook/app_down.md`",
    ]


@given(st.text(max_size=60))
def test_no_name_is_markup_or_another_line(name: str) -> None:
    text = report(name, name)
    assert len(text.splitlines()) <= len(report().splitlines())
    assert not re.search(r"(?<!\\)[*_{}<>|~@]|(?<!\\)!\[|https?://", text.replace("app_down.md", ""))


def test_every_change_that_is_noted_has_its_words() -> None:
    people = {Change.ACKED, Change.RELEASED, Change.SILENCED, Change.UNSILENCED}  # noted as what was asked for
    unnoted = {Change.UPDATED, Change.VANISHED}
    assert {str(change) for change in set(Change) - people - unnoted} <= set(_LINES)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (-5, "0 min"),
        (0, "0 min"),
        (59, "59 min"),
        (60, "1 h 00 min"),
        (125, "2 h 05 min"),
        (1440, "1 d"),
        (1500, "1 d 1 h"),
    ],
)
def test_spans_for_people(minutes: int, words: str) -> None:
    assert span(timedelta(minutes=minutes)) == words
