"""What a homeserver tells of rooms, read at the door: the shapes of a real one, and what nobody should send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.matrix_events import Batch, Gap, command_line, read_batch
from coloc.heard import Did, Heard

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STAMP = int((NOW - timedelta(minutes=1)).timestamp() * 1000)
LEA = "@lea:lab.local"
ROOMS = {"!a": "#coloc:lab.local"}


def event(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "sender": LEA,
        "event_id": "$1",
        "origin_server_ts": STAMP,
        "content": content,
        **more,
    }


def read(*events: Any, room: str = "!a", **timeline: Any) -> Batch:
    answer = {"next_batch": "s2", "rooms": {"join": {room: {"timeline": {"events": list(events), **timeline}}}}}
    return read_batch(answer, ROOMS, frozenset({LEA}), NOW)


def reaction(sign: str) -> dict[str, Any]:
    relation = {"rel_type": "m.annotation", "event_id": "$alert", "key": sign}
    return event("m.reaction", {"m.relates_to": relation})


def message(body: Any, relation: Any = None, **content: Any) -> dict[str, Any]:
    return event("m.room.message", {"msgtype": "m.text", "body": body, "m.relates_to": relation, **content})


def heard(did: Did, about: str, text: str) -> Heard:
    return Heard("$1", "#coloc:lab.local", LEA, did, about, text, NOW - timedelta(minutes=1))


@pytest.mark.parametrize("sign", ["👀", "🔕", "👀\ufe0f"])
def test_a_reaction_of_ours_is_heard(sign: str) -> None:
    assert read(reaction(sign)).heard == (heard(Did.REACTED, "$alert", sign[0]),)


def test_what_was_taken_back_is_heard_in_both_forms() -> None:
    new = event("m.room.redaction", {"redacts": "$r"})
    old = event("m.room.redaction", {}, redacts="$r")
    assert read(new).heard == read(old).heard == (heard(Did.TOOK_BACK, "$r", ""),)


def test_a_command_in_a_thread_an_answer_and_alone() -> None:
    thread = {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$last"}}
    assert read(message("!silence 2h", thread)).heard == (heard(Did.ASKED, "$root", "!silence 2h"),)
    answer = message("> <@bot:x> alerte\n> suite\n\n!ack", {"m.in_reply_to": {"event_id": "$alert"}})
    assert read(answer).heard == (heard(Did.ASKED, "$alert", "!ack"),)
    assert read(message("!status")).heard == (heard(Did.ASKED, "", "!status"),)


@pytest.mark.parametrize(
    "strange",
    [
        reaction("🎉"),
        reaction("👀") | {"sender": "@eve:evil.test"},
        reaction("👀") | {"event_id": "$" + "x" * 300},
        reaction("👀") | {"content": {"m.relates_to": {"rel_type": "m.annotation", "event_id": 5, "key": "👀"}}},
        message("bonjour !ack"),
        message("* !ack", {"rel_type": "m.replace", "event_id": "$x"}),
        message("!ack", {"rel_type": "m.replace", "event_id": "$x"}),
        message("!ack", msgtype="m.notice"),
        message(["!ack"]),
        message("!"),
        message("!!!"),
        message("> !ack"),
        event("m.room.member", {"membership": "join"}),
        {"type": "m.reaction"},
        None,
        [],
        "text",
    ],
)
def test_what_is_not_meant_for_us_is_not_heard(strange: Any) -> None:
    assert read(strange).heard == ()


def test_a_stranger_who_tries_a_command_is_heard_to_be_answered() -> None:
    (one,) = read(message("!ack") | {"sender": "@eve:evil.test"}).heard
    assert one.sender == "@eve:evil.test"


def test_another_room_is_not_ours() -> None:
    assert read(reaction("👀"), room="!other").heard == ()


def test_an_answer_that_left_events_out_names_the_gap() -> None:
    assert read(limited=True, prev_batch="p1").gaps == (Gap("!a", "p1"),)
    assert read(limited=False, prev_batch="p1").gaps == ()


@pytest.mark.parametrize("kind", ["m.room.tombstone", "m.room.encryption"])
def test_a_room_that_changes_is_named(kind: str) -> None:
    assert read(event(kind, {}, state_key="")).changed == {"!a"}


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        (STAMP, NOW - timedelta(minutes=1)),
        (2**52, NOW),
        (0, NOW - timedelta(days=30)),
        (-5, NOW),
        (True, NOW),
        ("x", NOW),
        (10**30, NOW),
    ],
)
def test_a_time_that_its_server_invents_is_bounded(stamp: Any, at: datetime) -> None:
    assert read(message("!ack") | {"origin_server_ts": stamp}).heard[0].at == at


def test_a_command_is_one_short_line_whatever_its_length() -> None:
    assert command_line("!ack " + "x" * 1_000_000) == ("!ack " + "x" * 1_000_000)[:200]
    assert command_line("> quoted\n" * 200_000 + "!ack") is None
    assert command_line("!ack\u202e\x00  12\r\nrm") == "!ack\u202e\x00 12"


NAMES: list[str] = [
    "rooms",
    "join",
    "!a",
    "timeline",
    "events",
    "content",
    "m.relates_to",
    "event_id",
    "sender",
    "type",
    "body",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["!a", "$1", LEA, "m.reaction"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)


@given(JSON)
def test_no_answer_breaks_the_listener(junk: Any) -> None:
    answer = {"next_batch": "s", "rooms": {"join": {"!a": {"timeline": {"events": [junk], "limited": junk}}}}}
    read_batch(answer, ROOMS, frozenset({LEA}), NOW)
    read_batch({"next_batch": "s", "rooms": junk}, ROOMS, frozenset({LEA}), NOW)
    with pytest.raises(ValueError, match="next_batch"):
        read_batch({"next_batch": 5, "rooms": junk}, ROOMS, frozenset({LEA}), NOW)
