"""What people may ask for in a room: the words, the rights, the rooms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.commands_in_rooms import Wish, listening_rooms, lives_in, may, people_of, person_of, understand
from agent.incidents import Incident, Phase, Severity
from coloc.config.whole import Config

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
CONFIG = Config.model_validate(
    {
        "coloc": {"name": "c"},
        "adminsys": {
            "léa": {"matrix": "@lea:m.test"},
            "hugo": {"matrix": "@hugo:m.test"},
            "zoé": {"matrix": "@zoe:m.test", "machine": True},
            "sans": {},
        },
        "projects": {"chorale": {"adminsys": ["léa"], "room": "!chorale"}, "velo": {"adminsys": ["hugo"]}, "seul": {}},
        "channels": {"matrix": {"homeserver": "https://m.test", "room": "!all", "help_room": "!help"}},
    }
)


def incident(project: str | None) -> Incident:
    labels = () if project is None else (("project", project),)
    return Incident("k", "r", labels, Phase.FIRING, Severity.CRITICAL, {}, pending_since=NOW)


@pytest.mark.parametrize(
    ("line", "wish"),
    [
        ("!ack", Wish("ack")),
        ("!ACK 12", Wish("ack", 12)),
        ("!prendre #12", Wish("ack", 12)),
        ("!ack douze", Wish("ack", trouble=True)),
        ("!silence", Wish("silence")),
        ("!silence 2h", Wish("silence", span=timedelta(hours=2))),
        ("!sourdine 12 30m", Wish("silence", 12, timedelta(minutes=30))),
        ("!silence 12 2 h", Wish("silence", 12, timedelta(hours=2))),
        ("!status", Wish("status")),
        ("!aide moi", Wish("help")),
        ("!rm -rf", Wish("")),
    ],
)
def test_commands_are_understood_in_both_languages(line: str, wish: Wish) -> None:
    assert understand(line) == wish


@pytest.mark.parametrize("line", ["!silence 31d", "!silence 0s", "!silence -1h", "!silence demain", "!silence 1e99d"])
def test_a_silence_without_a_sound_end_is_not_taken(line: str) -> None:
    assert understand(line).trouble


@given(st.text().map(lambda text: f"!a{text}"))
def test_no_line_breaks_the_agent(line: str) -> None:
    understand(line)


@pytest.mark.parametrize(
    ("person", "project", "allowed"),
    [
        ("léa", "chorale", True),
        ("léa", "velo", False),
        ("zoé", "velo", True),
        ("léa", "seul", True),
        ("léa", None, True),
        ("léa", "_shared", True),
    ],
)
def test_people_act_on_their_projects_and_on_what_is_everybodys(
    person: str, project: str | None, allowed: bool
) -> None:
    assert may(CONFIG, person, incident(project)) is allowed


def test_people_are_known_by_their_account_alone() -> None:
    assert people_of(CONFIG) == {"@lea:m.test", "@hugo:m.test", "@zoe:m.test"}
    assert person_of(CONFIG, "@lea:m.test") == "léa"
    assert person_of(CONFIG, "@lea:evil.test") is None
    assert person_of(CONFIG, "léa") is None


def test_the_help_room_takes_no_command_and_is_no_alert_room() -> None:
    assert listening_rooms(CONFIG) == ("!all", "!chorale")
    values = CONFIG.as_data()
    values["channels"]["matrix"]["help_room"] = "!all"
    with pytest.raises(ValidationError, match="help_room"):
        Config.model_validate(values)


def test_a_projects_room_is_told_of_its_own_incidents_only() -> None:
    assert lives_in(CONFIG, incident("chorale"), "!chorale")
    assert not lives_in(CONFIG, incident("velo"), "!chorale")
    assert lives_in(CONFIG, incident("velo"), "!all")
