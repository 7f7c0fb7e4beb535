"""Where an incident is told, how loudly, and what stays in its thread: rows of a real outbox."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent import incident_store
from agent.aged import AFTER, aged
from agent.incidents import Change, Incident, Phase, Severity
from agent.loudness import Loudness
from agent.telling import Teller, Tidings, rings_in_thread
from coloc.config.whole import Config
from coloc.state import State, open_state

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
DOWN = Incident(
    "k",
    "app_down",
    (("app", "tchat"), ("project", "rosalinde")),
    Phase.FIRING,
    Severity.CRITICAL,
    {"label": "Tchat", "units": "tchat.service"},
    pending_since=NOW,
    fired_at=NOW,
    id=7,
)
CHANNELS = {
    "matrix": {"homeserver": "https://m.test", "room": "!all:m.test"},
    "forum": {"url": "https://f.test", "user": "coloc", "topic": 3},
}


def config(**changes: Any) -> Config:
    values: dict[str, Any] = {"coloc": {"name": "c"}, "stage": "alert", "channels": CHANNELS}
    values["projects"] = {"rosalinde": {"room": "!rosalinde:m.test"}}
    return Config.model_validate(values | changes)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


def rows(state: State) -> list[sqlite3.Row]:
    return state.connection.execute("SELECT * FROM outbox ORDER BY id").fetchall()


def tell(state: State, incident: Incident, *changes: Change, config: Config = config()) -> Incident:  # noqa: B008
    teller = Teller(config)
    with state.transaction() as connection:
        columns = "INSERT OR IGNORE INTO incidents (id, key, rule, labels, phase, severity, pending_since) "
        values = (incident.id, str(incident.id), incident.rule, json.dumps(incident.labels), "", "", "")
        connection.execute(columns + "VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        incident_store.update(connection, incident)
    for change in changes:
        loud = Loudness.SILENCED if incident.silenced(NOW) else Loudness.RINGS
        with state.transaction() as connection:
            (incident,) = teller.tell(connection, [Tidings(incident, change, loud)], NOW) or [incident]
    return incident


def said(state: State) -> list[tuple[str, str, str, bool]]:
    return [(row["channel"], row["target"], row["kind"], '"rings": true' in row["payload"]) for row in rows(state)]


def test_a_new_incident_rings_in_its_projects_room_and_nowhere_else(state: State) -> None:
    tell(state, DOWN, Change.FIRED)
    assert said(state) == [("matrix", "!rosalinde:m.test", "new", True)]


def test_an_incident_of_no_project_is_told_in_the_room_of_the_machine(state: State) -> None:
    tell(state, replace(DOWN, labels=(("filesystem", "/"),), rule="disk_nearly_full"), Change.FIRED)
    assert said(state) == [("matrix", "!all:m.test", "new", True)]


@pytest.mark.parametrize(("channel", "mailed"), [("matrix", True), ("forum", False), ("mail", False)])
def test_that_messages_for_matrix_wait_is_mailed(state: State, channel: str, mailed: bool) -> None:
    mine = config(channels=CHANNELS | {"mail": {"sender": "c@house.test", "to": ["root@house.test"]}})
    tell(state, replace(DOWN, rule="messages_waiting", labels=(("channel", channel),)), Change.FIRED, config=mine)
    assert ("mail" in {row["channel"] for row in rows(state)}) is mailed


def test_taking_it_on_edits_silently_and_leaves_a_silent_line_in_the_thread(state: State) -> None:
    first = tell(state, DOWN, Change.FIRED)
    tell(state, replace(first, acked_by="léa"), Change.ACKED)
    assert [(kind, rings) for _, _, kind, rings in said(state)] == [("new", True), ("edit", False), ("reply", False)]
    assert "Pris en charge par léa" in rows(state)[-1]["payload"].encode().decode("unicode_escape")
    assert len({row["about"] for row in rows(state)}) == 1


def test_figures_that_moved_leave_no_line(state: State) -> None:
    tell(state, DOWN, Change.FIRED, Change.UPDATED)
    assert [kind for _, _, kind, _ in said(state)] == ["new", "edit"]


def test_an_incident_stays_in_the_room_where_it_was_told_when_coloc_yml_changes(state: State) -> None:
    first = tell(state, DOWN, Change.FIRED)
    moved = config(projects={"rosalinde": {"room": "!other:m.test"}})
    tell(state, replace(first, phase=Phase.RESOLVED, resolved_at=NOW), Change.RESOLVED, config=moved)
    assert {row["target"] for row in rows(state)} == {"!rosalinde:m.test"}


def test_the_forum_hears_of_a_critical_incident_once_it_is_old_and_then_to_its_end(state: State) -> None:
    first = tell(state, DOWN, Change.FIRED)
    old = tell(state, replace(first, fired_at=NOW - AFTER), Change.ESCALATED)
    over = replace(old, phase=Phase.RESOLVED, resolved_at=NOW, severity=Severity.WARNING)
    tell(state, over, Change.RESOLVED)
    assert [row["kind"] for row in rows(state) if row["channel"] == "forum"] == ["new", "edit"]


def test_what_is_over_before_it_is_old_never_reaches_the_forum(state: State) -> None:
    first = tell(state, DOWN, Change.FIRED)
    tell(state, replace(first, phase=Phase.RESOLVED, resolved_at=NOW), Change.RESOLVED)
    assert {row["channel"] for row in rows(state)} == {"matrix"}


def test_nobody_took_it_on_rings_once_in_the_thread_and_somebody_did_never(state: State) -> None:
    first = tell(state, DOWN, Change.FIRED)
    assert tell(state, first, Change.ESCALATED).escalated
    rang = [row for row in said(state) if row[0] == "matrix"]
    assert [(kind, rings) for _, _, kind, rings in rang] == [("new", True), ("reply", True)]
    taken = tell(state, replace(DOWN, id=8, key="other", acked_by="léa"), Change.FIRED)
    tell(state, taken, Change.ESCALATED)
    assert not [row for row in rows(state) if row["key"].startswith("incident:8:matrix") and row["kind"] == "reply"]


@pytest.mark.parametrize(
    ("change", "marks", "rings"),
    [
        (Change.WORSE, {}, True),
        (Change.WORSE, {"acked_by": "léa"}, False),
        (Change.RESOLVED, {}, True),
        (Change.RESOLVED, {"acked_by": "léa"}, True),  # it was critical
        (Change.RESOLVED, {"acked_by": "léa", "severity": Severity.WARNING}, False),
        (Change.RESOLVED, {"severity": Severity.WARNING}, True),
        (Change.RESOLVED, {"silenced_until": NOW + timedelta(hours=1)}, False),
        (Change.ACKED, {}, False),
        (Change.UNSILENCED, {}, False),
    ],
)
def test_a_line_rings_only_when_it_matters(change: Change, marks: dict[str, Any], rings: bool) -> None:
    assert rings_in_thread(replace(DOWN, **marks), change, NOW) is rings


@pytest.mark.parametrize(
    ("marks", "is_old"),
    [
        ({}, False),
        ({"fired_at": NOW - AFTER}, True),
        ({"fired_at": NOW - AFTER, "severity": Severity.WARNING}, False),
        ({"fired_at": NOW - AFTER, "phase": Phase.CLEARING}, False),
        ({"fired_at": NOW + timedelta(days=300)}, True),
        ({"phase": Phase.PENDING, "fired_at": None}, False),
    ],
)
def test_what_is_told_for_its_age(marks: dict[str, Any], is_old: bool) -> None:
    assert bool(list(aged([replace(DOWN, **marks)], NOW))) is is_old


@pytest.mark.parametrize(
    ("mute", "places"),
    [("matrix", {"forum", "console"}), ("forum", {"matrix", "console"}), ("console", {"matrix", "forum"})],
)
def test_that_a_channel_is_mute_is_told_on_the_others_and_in_the_journal(
    state: State, mute: str, places: set[str]
) -> None:
    old = replace(DOWN, rule="messages_waiting", labels=(("channel", mute),), fired_at=NOW - timedelta(hours=1))
    tell(state, old, Change.FIRED)
    assert {channel for channel, *_ in said(state)} == places
