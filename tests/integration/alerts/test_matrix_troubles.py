"""Rooms that change under the agent, and tokens that expire: against a real homeserver."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from alerts.channel import Blocked, Outcome, Retry, Sent
from alerts.matrix import MatrixChannel
from alerts.matrix_tokens import Tokens
from coloc.outbox import Kind, Row
from coloc.secrets import Secret
from tests.fakes.room import Room
from tests.fakes.rows import row
from tests.fakes.synapse import Synapse, call
from tests.fakes.waiting import until


def channel(synapse: Synapse, room: Room) -> MatrixChannel:
    return MatrixChannel(synapse.base_url, Secret(room.bot["access_token"]), room.id)


def insist(matrix: MatrixChannel, message: Row) -> Outcome:
    """As the delivery does: again at once when that is asked for."""
    for _ in range(3):
        outcome = matrix.deliver(message)
        if not (isinstance(outcome, Retry) and (outcome.after_seconds or 1) < 1):
            break
    return outcome


def sent(outcome: Outcome) -> str:
    assert isinstance(outcome, Sent), outcome
    return outcome.remote_id


def blocked(outcome: Outcome) -> str:
    assert isinstance(outcome, Blocked), outcome
    return outcome.why


def test_an_invitation_is_accepted_with_the_first_word(synapse: Synapse) -> None:
    room = Room(synapse, owner="lea")
    matrix = channel(synapse, room)
    assert "invite it" in matrix.check()[0], "a check enters no room"
    sent(insist(matrix, row("bonjour", target=room.id)))
    assert room.messages() == ["bonjour"]
    assert matrix.check() == []
    matrix.close()


def test_removed_from_a_room_it_says_so_and_comes_back_when_invited(synapse: Synapse) -> None:
    room = Room(synapse, owner="lea")
    matrix = channel(synapse, room)
    sent(insist(matrix, row("un", target=room.id)))
    room.kick()
    why = blocked(insist(matrix, row("deux", target=room.id, key="k2")))
    assert "invite it" in why
    assert room.id in why
    room.invite()
    sent(insist(matrix, row("deux", target=room.id, key="k2")))
    assert room.messages() == ["un", "deux"]
    matrix.close()


def test_muted_in_a_room_it_asks_for_the_right_to_speak_and_does_not_join_for_ever(synapse: Synapse) -> None:
    room = Room(synapse, owner="lea")
    matrix = channel(synapse, room)
    sent(insist(matrix, row("un", target=room.id)))
    room.mute()
    assert "right to send messages" in blocked(insist(matrix, row("deux", target=room.id, key="k2")))
    matrix.close()


def test_a_room_that_was_replaced_is_followed_and_an_old_incident_told_anew_there(synapse: Synapse) -> None:
    room = Room(synapse, owner="lea")
    matrix = channel(synapse, room)
    first = sent(insist(matrix, row("en panne", target=room.id)))
    new = Room.__new__(Room)
    new.__dict__ |= room.__dict__ | {"id": room.upgrade()}
    new.invite()
    edit = row("rétabli", target=room.id, key="k1:1", about="k1", kind=Kind.EDIT, about_remote_id=first)
    outcome = insist(matrix, edit)
    assert isinstance(outcome, Sent)
    assert outcome.instead
    assert sent(insist(matrix, edit)) == outcome.remote_id, "repeated after a crash it is the same event"
    assert new.messages() == ["rétabli"]
    assert new.id in matrix.check()[0]
    matrix.close()


def test_a_replaced_room_that_did_not_invite_us_is_told_with_its_name(synapse: Synapse) -> None:
    room = Room(synapse, owner="lea")
    matrix = channel(synapse, room)
    sent(insist(matrix, row("un", target=room.id)))
    new = room.upgrade()
    assert new in blocked(insist(matrix, row("deux", target=room.id, key="k2")))
    matrix.close()


def test_a_room_that_becomes_encrypted_is_refused_once_that_is_known(synapse: Synapse) -> None:
    room = Room(synapse, owner="lea")
    matrix = channel(synapse, room)
    sent(insist(matrix, row("un", target=room.id)))
    room.encrypt()
    matrix.rooms.forget(room.id)
    assert "encrypted" in blocked(insist(matrix, row("deux", target=room.id, key="k2")))
    matrix.close()


def test_an_expired_token_is_renewed_and_kept_for_the_next_life(synapse: Synapse, room: Room, tmp_path: Path) -> None:
    pair, kept = synapse.login("bot"), tmp_path / "matrix-tokens.json"
    access, refresh = Secret(pair["access_token"]), Secret(pair["refresh_token"])
    whoami = f"{synapse.base_url}/_matrix/client/v3/account/whoami"

    def expired(token: str) -> bool:
        return call("GET", whoami, None, token)[0] == 401

    until(lambda: expired(pair["access_token"]), seconds=60)
    matrix = MatrixChannel(synapse.base_url, Tokens(access, refresh, file=kept), room.id)
    sent(matrix.deliver(row("un", target=room.id)))
    matrix.close()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    rotated = json.loads(kept.read_text())["access"]
    until(lambda: expired(rotated), seconds=60)
    again = Tokens(access, refresh, file=kept)
    again.remember(kept)
    matrix = MatrixChannel(synapse.base_url, again, room.id)
    sent(matrix.deliver(row("deux", target=room.id, key="k2")))
    matrix.close()
    assert room.messages() == ["un", "deux"]


def test_an_expired_token_that_cannot_be_renewed_waits_for_a_human_and_shows_no_secret(
    synapse: Synapse, room: Room, tmp_path: Path
) -> None:
    tokens = Tokens(Secret("worn-out"), Secret("worn-out-too"), file=tmp_path / "t")
    matrix = MatrixChannel(synapse.base_url, tokens, room.id)
    why = blocked(matrix.deliver(row("un", target=room.id)))
    assert "token" in why
    assert "worn-out" not in why + repr(tokens) + str(matrix.check())
    assert not (tmp_path / "t").exists()
    matrix.close()


def test_tokens_that_people_wrote_anew_win_over_rotated_ones(tmp_path: Path) -> None:
    kept = tmp_path / "t"
    kept.write_text(json.dumps({"born": "of another token", "access": "old", "refresh": "old"}))
    tokens = Tokens(Secret("new"), Secret("newer"))
    tokens.remember(kept)
    assert tokens.access == Secret("new")
    for damage in ("", "[]", "{", '{"born": 1}', "\x00"):
        kept.write_text(damage)
        tokens.remember(kept)
    assert tokens.access == Secret("new")
