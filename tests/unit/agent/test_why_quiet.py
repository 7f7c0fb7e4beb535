"""Why a word is not said, as page, `status` and `alerts` show it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.loudness import night_ends
from agent.page.words import FRENCH
from agent.status import IncidentStatus
from agent.why_quiet import why_quiet

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
LOUD = IncidentStatus(7, "critical", "firing", "Blog is down", NOW, None, "", None)


def told(incident: IncidentStatus, words: set[str] | None = None) -> str:
    def word(text: str) -> str:
        if words is not None:
            words.add(text)
        return text

    return ", ".join(why_quiet(incident, word, lambda moment: f"{moment:%H:%M}", lambda name: f"<{name}>"))


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        (LOUD, ""),
        (replace(LOUD, acked_by="Léa"), "taken on by <Léa>"),
        (replace(LOUD, silenced_until=NOW), "in silence until 12:00"),
        (replace(LOUD, silenced_until=NOW, silence=4), "in silence until 12:00 (silence 4)"),
        (replace(LOUD, cause=5), "follows from #5"),
        (replace(LOUD, told_at=NOW), "quiet hours, told at 12:00"),
        (replace(LOUD, followers=3), "what follows from it keeps quiet: 3"),
        (replace(LOUD, acked_by="Léa", cause=5), "taken on by <Léa>, follows from #5"),
        (replace(LOUD, resolved_at=NOW, acked_by="Léa", silenced_until=NOW, cause=5), "taken on by <Léa>"),
    ],
)
def test_each_reason_in_a_few_words(incident: IncidentStatus, words: str) -> None:
    assert told(incident) == words


def test_each_word_has_its_french() -> None:
    words: set[str] = set()
    told(replace(LOUD, acked_by="x", silenced_until=NOW, silence=1, cause=2, told_at=NOW, followers=1), words)
    assert len(words) == 6
    assert words <= set(FRENCH)


@pytest.mark.parametrize(
    ("now", "hours", "ends"),
    [
        (datetime(2026, 11, 23, 22, tzinfo=UTC), "22:00-08:00", datetime(2026, 11, 24, 7, tzinfo=UTC)),
        (datetime(2026, 11, 24, 6, tzinfo=UTC), "22:00-08:00", datetime(2026, 11, 24, 7, tzinfo=UTC)),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), "22:00-08:00", None),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), "12:00-14:00", datetime(2026, 11, 23, 13, tzinfo=UTC)),
        (datetime(2026, 11, 23, 22, tzinfo=UTC), None, None),
        (datetime(2026, 3, 28, 22, tzinfo=UTC), "22:00-08:00", datetime(2026, 3, 29, 6, tzinfo=UTC)),  # summer begins
    ],
)
def test_when_the_quiet_hours_are_over(now: datetime, hours: str | None, ends: datetime | None) -> None:
    assert night_ends(now, hours, PARIS) == ends
    assert ends is None or ends - now <= timedelta(days=1)
