"""What every channel must do, whatever it speaks to: a real homeserver, the forum's stand-in, console, webhook."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from alerts.channel import Blocked, Channel, Outcome, Retry, Sent
from alerts.console import ConsoleChannel
from alerts.forum import ForumChannel
from alerts.matrix import MatrixChannel
from alerts.webhook import WebhookChannel
from coloc.outbox import Kind
from coloc.secrets import Secret
from tests.fakes.discourse import running
from tests.fakes.room import Room
from tests.fakes.rows import row
from tests.fakes.synapse import Synapse
from tests.fakes.taker import taking

NOBODY = "http://127.0.0.1:9"
SECRET = "s3cret-that-nobody-may-see"


@dataclass
class World:
    """A channel with the other side: what stands there, and channels that meet trouble."""

    channel: Channel
    target: str
    standing: Callable[[], list[str]]  # texts as people see them
    lonely: Channel  # its server is down
    stranger: Channel | None = None  # its secret is refused
    edits_in_place: bool = True

    def say(self, text: str, channel: Channel | None = None, **values: Any) -> Outcome:
        return (channel or self.channel).deliver(row(text, target=self.target, **values))


def _matrix(synapse: Synapse, room: Room) -> World:
    token = Secret(room.bot["access_token"])
    return World(
        MatrixChannel(synapse.base_url, token, room.id),
        room.id,
        room.messages,
        MatrixChannel(NOBODY, Secret(SECRET), room.id),
        MatrixChannel(synapse.base_url, Secret(SECRET), room.id),
    )


def _console() -> World:
    stream, closed = io.StringIO(), io.StringIO()
    closed.close()
    return World(
        ConsoleChannel(stream),
        "console",
        lambda: stream.getvalue().splitlines(),
        ConsoleChannel(closed),
        edits_in_place=False,
    )


@pytest.fixture(params=["matrix", "forum", "console", "webhook"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "console":
        yield _console()
        return
    if request.param == "matrix":
        world = _matrix(request.getfixturevalue("synapse"), request.getfixturevalue("room"))
        yield world
        _close(world)
        return
    if request.param == "webhook":
        with taking() as taker:
            world = World(
                WebhookChannel(Secret(taker.url), None, coloc="velo"),
                "webhook",
                taker.texts,
                WebhookChannel(Secret(NOBODY), Secret(SECRET), coloc="velo"),
                edits_in_place=False,
            )
            yield world
            _close(world)
        return
    with running() as (server, url):
        world = World(
            ForumChannel(url, "coloc-agent", Secret("good-key"), 7),
            "7",
            server.ours,
            ForumChannel(NOBODY, "coloc-agent", Secret(SECRET), 7),
            ForumChannel(url, "coloc-agent", Secret(SECRET), 7),
        )
        yield world
        _close(world)


def _close(world: World) -> None:
    for channel in (world.channel, world.lonely, world.stranger):
        if channel is not None:
            channel.close()


def sent(outcome: Outcome) -> str:
    assert isinstance(outcome, Sent), outcome
    assert outcome.remote_id
    return outcome.remote_id


def test_a_message_arrives(world: World) -> None:
    sent(world.say("Tchat est en panne depuis hier"))
    (text,) = world.standing()
    assert "Tchat est en panne depuis hier" in text


def test_an_edit_shows_the_new_text_and_keeps_the_messages_name(world: World) -> None:
    first = sent(world.say("Tchat est en panne depuis hier", key="i1"))
    edit = world.say("Tchat est revenu ce matin", key="i1:1", about="i1", kind=Kind.EDIT, about_remote_id=first)
    again = world.say("Tchat marche de nouveau", key="i1:2", about="i1", kind=Kind.EDIT, about_remote_id=first)
    sent(edit)
    sent(again)
    assert "Tchat marche de nouveau" in world.standing()[-1]
    assert len(world.standing()) == (1 if world.edits_in_place else 3)


def test_a_reply_is_a_message_of_its_own(world: World) -> None:
    first = sent(world.say("Tchat est en panne depuis hier", key="i1"))
    sent(world.say("Léa s'en occupe depuis ce matin", key="i1:1", about="i1", kind=Kind.REPLY, about_remote_id=first))
    assert len(world.standing()) == 2


def test_a_repeat_is_not_a_second_message(world: World) -> None:
    if not world.edits_in_place:
        return  # a line in the journal cannot be looked for: the console may say it again after a crash
    first = sent(world.say("Tchat est en panne depuis hier", key="i1"))
    assert sent(world.say("Tchat est en panne depuis hier", key="i1", attempts=1)) == first
    assert len(world.standing()) == 1


def test_an_edit_of_what_was_never_said_is_a_message(world: World) -> None:
    sent(world.say("Tchat est revenu ce matin", key="i1:1", about="i1", kind=Kind.EDIT))
    assert len(world.standing()) == 1


def test_another_side_that_is_down_is_tried_again(world: World) -> None:
    assert isinstance(world.say("Tchat est en panne", world.lonely), Retry)
    assert world.standing() == []


def test_a_refused_secret_waits_for_a_human_and_is_never_shown(world: World) -> None:
    if world.stranger is None:
        return
    outcome = world.say("Tchat est en panne", world.stranger)
    assert isinstance(outcome, Blocked)
    assert len(outcome.why.split()) > 6, "a sentence that says what to do"
    assert SECRET not in outcome.why + repr(world.stranger) + str(world.stranger.check())


@pytest.mark.parametrize("text", ["a\x00b\x1b[2J\u202e et voilà la suite", "début \ud800 et la suite", "é🔴" * 200_000])
def test_no_text_breaks_a_channel(world: World, text: str) -> None:
    assert isinstance(world.say(text), Sent)
    assert len(world.standing()) == 1


def test_check_finds_nothing_wrong_and_says_nothing(world: World) -> None:
    assert world.channel.check() == []
    assert world.standing() == []


def test_check_tells_in_a_sentence_what_is_wrong(world: World) -> None:
    if world.stranger is None:
        return
    for channel in (world.lonely, world.stranger):
        (problem,) = channel.check()
        assert len(problem.split()) > 3
