"""What is remembered of incidents, from a real evaluator on a real state: why each is quiet, and its timeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from http import HTTPStatus
from pathlib import Path

import pytest

from agent.past import latest, past, past_route
from agent.status import IncidentStatus
from agent.web import Request, Response
from coloc.times import iso
from tests.fakes.telling_house import TellingHouse


@pytest.fixture
def house(tmp_path: Path) -> Iterator[TellingHouse]:
    house = TellingHouse(tmp_path)
    yield house
    house.state.close()


def shown(house: TellingHouse) -> list[IncidentStatus]:
    return list(latest(house.config, house.state.connection, 50, house.now))


def test_a_silence_is_shown_with_its_number_and_its_end(house: TellingHouse) -> None:
    house.see("a0", ask={"kind": "quiet", "app": "a0", "seconds": 3600, "by": "zoé"})
    house.see("a0", "a1")
    quiet, loud = sorted(shown(house), key=lambda each: each.id)
    assert (quiet.silence, loud.silence) == (1, 0)
    assert quiet.silenced_until is not None
    assert timedelta(minutes=59) < quiet.silenced_until - house.now < timedelta(hours=1)
    assert loud.silenced_until is None


def test_of_a_silence_of_its_own_and_one_asked_ahead_the_later_end_is_shown(house: TellingHouse) -> None:
    house.see("a0", ask={"kind": "quiet", "app": "a0", "seconds": 3600, "by": "zoé"})
    house.see("a0", ask={"kind": "silence", "incident": 1, "seconds": 7200, "by": "zoé"})
    (quiet,) = shown(house)
    assert quiet.silenced_until is not None
    assert quiet.silenced_until - house.now == timedelta(hours=2)


def test_a_word_that_waits_for_the_morning_says_until_when(tmp_path: Path) -> None:
    house = TellingHouse(tmp_path, apps={"a0": {"service": "standard"}})
    house.now = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)  # 23:30 in Paris
    house.see("a0")
    (one,) = shown(house)
    assert one.told_at == datetime(2026, 11, 24, 7, tzinfo=UTC)
    house.see("a0", after=9 * 3600)
    assert shown(house)[0].told_at is None
    house.state.close()


def test_the_timeline_tells_what_happened_in_order(house: TellingHouse) -> None:
    house.see("a0")
    house.state.connection.execute("UPDATE outbox SET state = 'sent', sent_at = created_at")
    house.see("a0", after=60, ask={"kind": "ack", "incident": 1, "by": "léa"})
    house.see(after=3600)
    found = past(house.config, house.state.connection, 1, house.now)
    assert found is not None
    lines = found.report.splitlines()
    assert lines[0] == r"# A0 \(a0\) is down \[#1\]"
    told = [line.split(" — ")[1] for line in lines if " — " in line]
    assert told[0].startswith("it is an incident")
    assert sorted(told[1:3]) == ["told on console", "told on matrix"]
    assert told[3:] == ["taken on by léa", "over"]
    assert "- From 2026-11-23 12:00 +01:00 to 2026-11-23 13:01 +01:00 (1 h 01 min)" in lines
    assert "Runbook: `docs/runbook/app_down.md`" in lines


def ask(house: TellingHouse, number: str = "") -> Response:
    query = {"id": (number,)} if number else {}
    return past_route(house.config, house.path)(Request("/api/v1/incidents", query, Message()))


def test_readers_ask_for_the_list_or_for_one(house: TellingHouse) -> None:
    house.see("a0")
    house.see("a1")
    values = json.loads(ask(house).body)
    assert [each["id"] for each in values["incidents"]] == [2, 1]
    assert "A0" in json.loads(ask(house, "1").body)["report"]
    assert ask(house, "3").status is HTTPStatus.NOT_FOUND
    for strange in ("-1", "1;", "²", "9" * 30):
        assert ask(house, strange).status is HTTPStatus.BAD_REQUEST


def test_a_state_that_cannot_be_read_is_told_and_harms_no_reader(house: TellingHouse, tmp_path: Path) -> None:
    answer = past_route(house.config, tmp_path / "gone" / "state.db")(Request("/", {}, Message()))
    assert answer.status is HTTPStatus.SERVICE_UNAVAILABLE


def test_a_silence_that_is_long_over_is_forgotten(house: TellingHouse) -> None:
    house.see(ask={"kind": "quiet", "app": "a0", "seconds": 60, "by": "zoé"})
    count = "SELECT count(*) FROM silences"
    house.state.tidy(iso(house.now))
    assert house.state.connection.execute(count).fetchone()[0] == 1
    house.state.tidy(iso(house.now + timedelta(hours=1)))
    assert house.state.connection.execute(count).fetchone()[0] == 0
