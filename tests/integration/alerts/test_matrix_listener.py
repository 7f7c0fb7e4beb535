"""Listening in rooms of a real homeserver: what people do is kept once, over gaps, restarts and rooms that change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.matrix import MatrixChannel
from alerts.matrix_listener import MatrixListener
from coloc import heard
from coloc.heard import Did, Heard
from coloc.secrets import Secret
from coloc.state import State, open_state
from tests.fakes.room import Room
from tests.fakes.synapse import Synapse
from tests.fakes.waiting import until


class Ears:
    """A listener whose turns the test asks for."""

    def __init__(self, synapse: Synapse, room: Room, state: State) -> None:
        self.channel = MatrixChannel(synapse.base_url, Secret(room.bot["access_token"]), room.id)
        self.state, self.woken = state, 0
        self.listener = MatrixListener(
            self.channel.session,
            self.channel.rooms,
            state.path,
            targets=[room.id],
            people=frozenset({room.lea["user_id"]}),
            wake=self._wake,
        )

    def _wake(self) -> None:
        self.woken += 1

    def hear(self, count: int = 1) -> list[Heard]:
        """Turns until so much was heard."""

        def enough() -> bool:
            assert self.listener.turn(self.state) is not None
            return len(heard.waiting(self.state.connection)) >= count

        until(enough, seconds=60, what="something to be heard")
        return heard.waiting(self.state.connection)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


@pytest.fixture
def ears(synapse: Synapse, room: Room, state: State) -> Iterator[Ears]:
    ears = Ears(synapse, room, state)
    assert ears.listener.turn(state) == 0
    yield ears
    ears.channel.close()


def test_what_was_said_before_the_first_start_is_not_obeyed(synapse: Synapse, room: Room, state: State) -> None:
    room.say("!status")
    ears = Ears(synapse, room, state)
    ears.listener.turn(state)
    last = room.say("!help")
    assert [one.event for one in ears.hear()] == [last]
    ears.channel.close()


def test_reactions_commands_and_what_is_taken_back_are_kept_and_wake_the_agent(ears: Ears, room: Room) -> None:
    alert = room.say("alerte", "bot")
    reaction = room.react(alert, "👀")
    room.react(alert, "🎉")
    room.say("bonjour")
    command = room.answer(alert, "!silence 2h")
    ears.hear(2)
    room.take_back(reaction)
    assert [(one.did, one.about, one.text) for one in ears.hear(3)] == [
        (Did.REACTED, alert, "👀"),
        (Did.ASKED, alert, "!silence 2h"),
        (Did.TOOK_BACK, reaction, ""),
    ]
    assert heard.find(ears.state.connection, command) is not None
    assert ears.woken


def test_more_than_an_answer_holds_is_fetched_in_its_order(ears: Ears, room: Room) -> None:
    events = [room.say(f"!ack {number}") for number in range(45)]
    assert [one.event for one in ears.hear(45)] == events


def test_messages_too_large_for_one_answer_do_not_deafen_us(
    ears: Ears, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.matrix_listener._AT_MOST", 100_000)
    for number in range(4):
        room.say(f"{number}" + "x" * 50_000)
    last = room.say("!help")
    assert [one.event for one in ears.hear()] == [last]


def test_another_life_goes_on_where_the_last_one_ended(ears: Ears, synapse: Synapse, room: Room, state: State) -> None:
    first = room.say("!status")
    ears.hear()
    second = room.say("!help")
    again = Ears(synapse, room, state)
    assert [one.event for one in again.hear(2)] == [first, second]
    again.channel.close()


def test_a_listener_that_was_replaced_keeps_nothing(ears: Ears, room: Room, state: State) -> None:
    room.say("!status")
    ears.listener._stopping.set()
    ears.listener.turn(state)
    assert heard.waiting(state.connection) == []


def test_a_place_that_the_server_forgot_is_found_anew(ears: Ears, room: Room, state: State) -> None:
    state.put(f"matrix_since:{room.bot['user_id']}", "nonsense")
    assert ears.listener.turn(state) is None
    ears.listener.turn(state)
    last = room.say("!help")
    assert [one.event for one in ears.hear()] == [last]


def test_strangers_are_answered_now_and_then_and_never_heard(ears: Ears, synapse: Synapse, room: Room) -> None:
    room._post(f"rooms/{room.id}/invite", room.bot, {"user_id": synapse.user("eve")["user_id"]})
    room.join("eve")
    alert = room.say("alerte", "bot")
    room.react(alert, "👀", "eve")
    for _ in range(5):
        room.say("!ack", "eve")
    last = room.say("!help")
    assert [(one.sender, one.did) for one in ears.hear(2)] == [
        (synapse.user("eve")["user_id"], Did.ASKED),
        (room.lea["user_id"], Did.ASKED),
    ]
    assert heard.find(ears.state.connection, last) is not None


def test_a_room_that_was_encrypted_meanwhile_is_spoken_in_no_more(synapse: Synapse, state: State) -> None:
    room = Room(synapse, owner="lea")
    ears = Ears(synapse, room, state)
    assert ears.listener.turn(state) is not None
    until(lambda: ears.listener.turn(state) == 0, seconds=90)
    room.encrypt()
    until(lambda: (ears.listener.turn(state), not isinstance(ears.channel.rooms.ready(room.id), str))[1], seconds=60)
    ears.channel.close()


def test_a_server_that_is_down_is_asked_again_with_patience(room: Room, state: State) -> None:
    channel = MatrixChannel("http://127.0.0.1:9", Secret("t"), room.id)
    listener = MatrixListener(
        channel.session, channel.rooms, state.path, targets=[room.id], people=frozenset(), wake=lambda: None
    )
    assert listener.turn(state) is None
    channel.close()


def test_it_stops_within_a_moment_while_it_asks(ears: Ears) -> None:
    ears.listener.start()
    ears.listener.stop()
    assert ears.listener._stopping.is_set()
