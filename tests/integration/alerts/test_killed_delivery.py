"""Delivery is killed at any moment and started again, against a real homeserver: each message stands there once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coloc import outbox
from coloc.outbox import Kind, Message
from coloc.state import State, open_state
from coloc.times import now_utc
from tests.fakes.room import Room
from tests.fakes.synapse import Synapse
from tests.fakes.waiting import until

_ROOT = Path(__file__).parents[3]
_KILLS = 8


@contextmanager
def delivering(state: State, synapse: Synapse, room: Room) -> Iterator[subprocess.Popen[str]]:
    """A process that delivers; killed at the end of the block."""
    argv = [sys.executable, "-m", "tests.fakes.delivering", str(state.path), synapse.base_url, room.id]
    env = {"PATH": os.environ["PATH"], "MATRIX_TOKEN": room.bot["access_token"]}
    with subprocess.Popen(argv, cwd=_ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        try:
            yield process
        finally:
            process.kill()


def add(state: State, key: str, text: str, about: str = "") -> None:
    with state.transaction() as connection:
        kind = Kind.EDIT if about else Kind.NEW
        message = Message(text, text)
        outbox.add(
            connection,
            channel="matrix",
            target=state.get("room") or "",
            kind=kind,
            key=key,
            about=about or key,
            message=message,
            now=now_utc(),
        )


def waiting(state: State) -> int:
    return sum(count for count, _ in outbox.depth(state.connection).values())


def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_said_twice(
    tmp_path: Path, synapse: Synapse, room: Room
) -> None:
    state, chance = open_state(tmp_path / "state.db"), random.Random(20261123)
    state.put("room", room.id)
    expected = []
    for turn in range(_KILLS):
        for number in range(6):  # fewer than make a digest, each with an edit of the turn before
            key = f"{turn}-{number}"
            add(state, key, f"panne {key}")
            if turn:
                add(state, f"{key}:edit", f"rétabli {turn - 1}-{number}", about=f"{turn - 1}-{number}")
            expected.append(f"rétabli {key}" if turn < _KILLS - 1 else f"panne {key}")
        before = waiting(state)
        with delivering(state, synapse, room):
            # Into the middle of the work: after some rows, then a moment that nobody chose.
            some = chance.randint(0, 8)
            until(lambda: waiting(state) <= max(0, before - some), what="some rows to be sent")  # noqa: B023
            time.sleep(chance.random() * 0.05)
        if waiting(state) > 1:  # no digest here: let the rest go out before the next turn
            with delivering(state, synapse, room):
                until(lambda: waiting(state) == 0, what="the outbox to be empty")
    with delivering(state, synapse, room):
        until(lambda: waiting(state) == 0, what="the outbox to be empty")
    assert sorted(room.messages()) == sorted(expected)
    state.close()


def test_a_digest_is_said_once_however_often_delivery_is_killed(tmp_path: Path, synapse: Synapse, room: Room) -> None:
    state, chance = open_state(tmp_path / "state.db"), random.Random(7)
    state.put("room", room.id)
    for number in range(30):
        add(state, f"i{number}", f"panne {number}")
    for _ in range(4):
        with delivering(state, synapse, room):
            time.sleep(chance.random() * 0.1)
    with delivering(state, synapse, room):
        until(lambda: waiting(state) == 0, what="the outbox to be empty")
    told = "\n".join(room.messages())
    assert len(room.messages()) == 1
    assert all(told.count(f"panne {number}\n") + told.endswith(f"panne {number}") == 1 for number in range(30))
    state.close()


def test_a_homeserver_that_is_killed_and_comes_back_gets_each_message_once(tmp_path: Path) -> None:
    server = Synapse(tmp_path / "synapse")
    server.start()
    try:
        room, state = Room(server), open_state(tmp_path / "state.db")
        state.put("room", room.id)
        for number in range(7):
            add(state, f"i{number}", f"panne {number}")
        with delivering(state, server, room):
            until(lambda: waiting(state) <= 4, what="some rows to be sent")
            server.kill()
            server.start()
            until(lambda: waiting(state) == 0, seconds=30, what="the outbox to be empty")
        assert room.messages() == [f"panne {number}" for number in range(7)]
        state.close()
    finally:
        server.stop()
