"""The Matrix channel against a real homeserver."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.channel import Blocked, Refused, Retry, Sent
from alerts.matrix import MatrixChannel
from coloc.outbox import Kind
from coloc.secrets import Secret
from coloc.times import now_utc
from tests.fakes.room import Room
from tests.fakes.rows import row
from tests.fakes.synapse import Synapse


def channel(synapse: Synapse, room: Room, *, allow_encrypted: bool = False) -> MatrixChannel:
    token = Secret(room.bot["access_token"])
    return MatrixChannel(synapse.base_url, token, room.id, allow_encrypted=allow_encrypted)


def sent(outcome: object) -> str:
    assert isinstance(outcome, Sent), outcome
    return outcome.remote_id


def test_a_message_is_said_once_also_when_it_is_repeated(synapse: Synapse, room: Room) -> None:
    matrix = channel(synapse, room)
    first = sent(matrix.deliver(row("bonjour", target=room.id)))
    assert sent(matrix.deliver(row("bonjour", target=room.id, attempts=1))) == first
    assert room.messages() == ["bonjour"]
    matrix.close()


def test_an_edit_replaces_the_original_and_mentions_nobody(synapse: Synapse, room: Room) -> None:
    matrix = channel(synapse, room)
    first = sent(matrix.deliver(row("en panne", target=room.id)))
    for number in (1, 2):
        edit = row(f"rétabli {number}", target=room.id, kind=Kind.EDIT, key=f"e{number}", about_remote_id=first)
        sent(matrix.deliver(edit))
    assert room.messages() == ["rétabli 2"]
    assert all(event["content"]["m.mentions"] == {} for event in room.events())
    assert {event["content"]["msgtype"] for event in room.events()} == {"m.text"}
    matrix.close()


@pytest.mark.parametrize(("rings", "kind"), [(False, "m.notice"), (True, "m.text")])
def test_a_reply_goes_into_the_thread_and_is_a_notice_unless_it_rings(
    synapse: Synapse, room: Room, rings: bool, kind: str
) -> None:
    matrix = channel(synapse, room)
    first = sent(matrix.deliver(row("en panne", target=room.id)))
    line = row("historique", target=room.id, kind=Kind.REPLY, key="r1", about_remote_id=first, rings=rings)
    sent(matrix.deliver(line))
    last = room.events()[-1]["content"]
    assert last["msgtype"] == kind
    assert last["m.relates_to"]["rel_type"] == "m.thread"
    assert last["m.relates_to"]["event_id"] == first
    matrix.close()


def test_a_silenced_message_is_a_notice(synapse: Synapse, room: Room) -> None:
    matrix = channel(synapse, room)
    sent(matrix.deliver(row("en sourdine", target=room.id, rings=False)))
    assert room.events()[-1]["content"]["msgtype"] == "m.notice"
    matrix.close()


def test_an_old_row_that_was_said_is_found_and_not_said_again(synapse: Synapse, room: Room) -> None:
    matrix = channel(synapse, room)
    first = sent(matrix.deliver(row("vieux", target=room.id, key="old", txn_id="before")))
    late = row("vieux", target=room.id, key="old", txn_id="after", attempts=3, created_at=now_utc() - timedelta(days=2))
    assert sent(matrix.deliver(late)) == first
    assert room.messages() == ["vieux"]
    matrix.close()


def test_an_encrypted_room_is_refused_clearly_before_anything_is_said(synapse: Synapse) -> None:
    room = Room(synapse, encrypted=True)
    matrix = channel(synapse, room)
    outcome = matrix.deliver(row("secret", target=room.id))
    assert isinstance(outcome, Blocked)
    assert "encrypted" in outcome.why
    assert matrix.check()
    assert room.events() == []
    matrix.close()
    bold = channel(synapse, room, allow_encrypted=True)
    sent(bold.deliver(row("tant pis", target=room.id)))
    bold.close()


def test_a_bad_token_and_a_lost_room_wait_for_a_human(synapse: Synapse, room: Room) -> None:
    stranger = MatrixChannel(synapse.base_url, Secret("nonsense"), room.id)
    outcome = stranger.deliver(row("x", target=room.id))
    assert isinstance(outcome, Blocked)
    assert "token" in outcome.why
    assert "nonsense" not in outcome.why + "".join(stranger.check())
    stranger.close()
    matrix = channel(synapse, room)
    assert matrix.check() == []
    room.kick_bot()
    assert isinstance(matrix.deliver(row("x", target=room.id)), Blocked)
    assert len(matrix.check()) == 1
    matrix.close()


def test_a_dead_server_is_tried_again(room: Room) -> None:
    matrix = MatrixChannel("http://127.0.0.1:9", Secret("t"), room.id)
    assert isinstance(matrix.deliver(row("x", target=room.id)), Retry)
    assert matrix.check()
    matrix.close()


def test_a_megabyte_is_cut_and_said(synapse: Synapse, room: Room) -> None:
    matrix = channel(synapse, room)
    outcome = matrix.deliver(row("é" * 1_000_000, target=room.id))
    assert isinstance(outcome, Sent), outcome
    assert 1000 < len(room.messages()[0]) < 20_000
    matrix.close()


def test_an_unknown_alias_is_told_with_what_to_do(synapse: Synapse, room: Room) -> None:
    matrix = channel(synapse, room)
    outcome = matrix.deliver(row("x", target="#nowhere:lab.local"))
    assert isinstance(outcome, Blocked | Refused)
    assert "#nowhere:lab.local" in outcome.why
    matrix.close()
