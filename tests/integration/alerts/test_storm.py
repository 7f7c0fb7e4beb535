"""Five hundred alerts at once under the default rate limit of a homeserver, and hostile names through a real one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alerts.delivery import Delivery
from alerts.matrix import MatrixChannel
from coloc import outbox
from coloc.secrets import Secret
from tests.fakes.room import Room
from tests.fakes.synapse import Synapse
from tests.fakes.telling_house import TellingHouse
from tests.fakes.waiting import until

STORM = 500
HOSTILE = (
    "<b>@room</b> @lea:lab.local\n✅ Resolved: all\u202egnp.exe\u2066\u0007<script>!ack</script>" + "é" * 1_000_000
)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """A homeserver with the limit that Synapse has when nobody changes it."""
    server = Synapse(tmp_path_factory.mktemp("strict"), rate="0.2:10")
    server.start()
    yield server
    server.stop()


@contextmanager
def delivering(house: TellingHouse, server: Synapse, room: Room) -> Iterator[Delivery]:
    matrix = MatrixChannel(server.base_url, Secret(room.bot["access_token"]), room.id)
    delivery = Delivery(house.path, {"matrix": matrix}, language="en", idle_seconds=0.1)
    delivery.start()
    yield delivery
    delivery.stop()


def house_in(folder: Path, server: Synapse, room: Room, count: int) -> TellingHouse:
    return TellingHouse(folder, count=count, channels={"matrix": {"homeserver": server.base_url, "room": room.id}})


def empty(house: TellingHouse) -> bool:
    return sum(count for count, _ in outbox.depth(house.state.connection).values()) == 0


def test_a_storm_is_one_message_that_comes_at_once_and_ends_as_one(tmp_path: Path, strict: Synapse) -> None:
    room = Room(strict)
    house = house_in(tmp_path, strict, room, STORM)
    names = [f"a{number}" for number in range(STORM)]
    with delivering(house, strict, room) as delivery:
        began = time.monotonic()
        house.see(*names)
        delivery.wake()
        until(room.messages, seconds=60, what="the first message")
        first = time.monotonic() - began
        until(lambda: empty(house), seconds=120, what="everything told")
        everything = time.monotonic() - began
        assert len(room.messages()) == 1, "never five hundred rings"
        assert f"{STORM} incidents" in room.messages()[0]
        house.see()
        delivery.wake()
        until(lambda: empty(house), seconds=120, what="the end told")
    assert room.messages()[0].startswith("✅")
    assert len([event for event in room.events() if event["content"]["msgtype"] == "m.text"]) <= 4
    print(f"storm of {STORM}: first message after {first:.2f} s, everything told after {everything:.2f} s")
    house.state.close()


def test_a_hostile_name_arrives_harmless_in_a_real_room(tmp_path: Path, synapse: Synapse, room: Room) -> None:
    house = house_in(tmp_path, synapse, room, 1)
    app = house.colocation.inventory.apps["a0"]
    object.__setattr__(app, "label", HOSTILE)
    with delivering(house, synapse, room) as delivery:
        house.see("a0")
        delivery.wake()
        until(lambda: empty(house), seconds=60)
    (event,) = room.events()
    content = event["content"]
    assert content["m.mentions"] == {}
    assert "@room" not in content["body"] + content["formatted_body"]
    assert "@lea" not in content["body"] + content["formatted_body"]
    assert "<script>" not in content["formatted_body"]
    assert not {"\u202e", "\u2066", "\u0007"} & set(content["body"])
    assert not any(line.startswith(("✅", "!")) for line in content["body"].splitlines())
    assert len(content["body"]) < 5000
    house.state.close()
