"""`coloc-agent alert test`: the whole way, with a daemon that delivers, and what it says when a channel does not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.alert_tests import channels_to_test, latest_tests, write_tests
from coloc import outbox
from coloc.config.whole import Config
from coloc.requests import Request
from coloc.state import State, open_state
from coloc.times import now_utc

NONCE = "0123456789abcdef" * 2
VALUES = {
    "coloc": {"name": "c"},
    "channels": {
        "matrix": {"homeserver": "https://m.test", "room": "!a", "language": "en"},
        "forum": {"url": "https://f.test", "user": "c", "topic": 3},
        "mail": {"sender": "c@house.test", "to": ["root@house.test"]},
    },
}
CONFIG = Config.model_validate(VALUES)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


def written(state: State, **values: str) -> list[sqlite3.Row]:
    with state.transaction() as connection:
        write_tests(connection, CONFIG, Request("1", "test", {"nonce": NONCE} | values), now_utc())
    return state.connection.execute("SELECT * FROM outbox ORDER BY id").fetchall()


def test_every_channel_but_the_forum_says_a_word_that_rings_in_its_language(state: State) -> None:
    rows = written(state)
    assert [(row["channel"], row["target"]) for row in rows] == [("console", "console"), ("matrix", "!a")]
    payload = json.loads(rows[1]["payload"])
    assert payload["text"].startswith("🔔 Test of the alerts")
    assert payload["rings"] is True
    assert channels_to_test(CONFIG) == ("console", "matrix")


@pytest.mark.parametrize("channel", ["forum", "mail"])
def test_the_forum_and_last_resorts_speak_only_when_they_are_named(state: State, channel: str) -> None:
    assert [row["channel"] for row in written(state, channel=channel)] == [channel]


@pytest.mark.parametrize("values", [{"nonce": "x' OR 1"}, {"channel": "pigeon"}, {"nonce": ""}])
def test_a_strange_request_says_nothing(state: State, values: dict[str, str]) -> None:
    assert written(state, **values) == []


def test_how_it_ended_is_known_for_an_hour(state: State) -> None:
    rows, now = written(state), now_utc()
    with state.transaction() as connection:
        outbox.settle(connection, rows[0]["id"], state="sent", now=now)
        outbox.settle(connection, rows[1]["id"], state="blocked", now=now, error="the access token is refused")
    ended = latest_tests(state.connection, now)
    assert ended == {f"test:{NONCE}:console": "sent", f"test:{NONCE}:matrix": "the access token is refused"}
    state.connection.execute("UPDATE outbox SET created_at = '2020-01-01T00:00:00.000000+00:00'")
    assert latest_tests(state.connection, now) == {}


def test_a_test_is_never_folded_into_a_digest(state: State) -> None:
    for number in range(20):
        written(state, nonce=f"{number:032x}")
    assert outbox.foldable(state.connection, "matrix", "!a") == []
