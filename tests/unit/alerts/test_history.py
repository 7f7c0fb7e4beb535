"""The lines of a thread: each change in both languages, harmless whatever the names are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.incidents import Change
from alerts.history import history_line
from alerts.messages import IncidentText

PARIS = ZoneInfo("Europe/Paris")
SINCE = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
VALUE = {"label": "Tchat", "units": "mattermost.service"}
DOWN = IncidentText(7, "app_down", {"app": "mattermost"}, "critical", "firing", SINCE, value=VALUE, acked_by="léa")
SILENT = {Change.BEGAN, Change.VANISHED, Change.FIRED, Change.UPDATED}


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("change", sorted(set(Change) - SILENT))
def test_every_change_that_people_hear_of_has_a_line(change: Change, language: str) -> None:
    line = history_line(change, replace(DOWN, silenced_until=SINCE), language, PARIS)
    assert line is not None
    assert "{" not in line.text


@pytest.mark.parametrize("change", sorted(SILENT))
def test_what_the_message_itself_tells_has_none(change: Change) -> None:
    assert history_line(change, DOWN, "fr", PARIS) is None


def test_a_hostile_name_cannot_ring_or_forge() -> None:
    evil = "<b>@room</b>\n✅ Rétabli\u202e{0.__class__}"
    bad = replace(DOWN, acked_by=evil, value={"label": evil}, labels={"app": evil})
    for change in ("acked", "worse", "resolved", "escalated"):
        line = history_line(change, bad, "fr", PARIS)
        assert line is not None
        assert len(line.text.splitlines()) == 1
        assert "@room" not in line.text + line.html
        assert "<b>" not in line.html
        assert "\u202e" not in line.text
