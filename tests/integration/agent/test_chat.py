"""What people do in rooms, decided by a real evaluator on a real state: marks, undoing, rights, answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.incidents import Incident
from coloc import heard
from coloc.heard import Did, Heard
from tests.fakes.telling_house import ROOM, TellingHouse

LEA, HUGO, EVE = "@lea:m.test", "@hugo:m.test", "@eve:evil.test"
PEOPLE = {"léa": {"matrix": LEA}, "hugo": {"matrix": HUGO}}


class Chatting(TellingHouse):
    """A house with a room in which people do things."""

    def __init__(self, folder: Path, **config: Any) -> None:
        super().__init__(folder, adminsys=PEOPLE, **config)
        self._events = 0

    def say_all(self) -> None:
        """The delivery: each message has a name in its room now."""
        self.state.connection.execute(
            "UPDATE outbox SET state = 'sent', remote_id = '$' || id WHERE channel = 'matrix' AND remote_id IS NULL"
        )

    def event(self, number: int = 1) -> str:
        """The name of the nth message of the room."""
        rows = self.state.connection.execute("SELECT remote_id FROM outbox WHERE channel = 'matrix' AND kind = 'new'")
        return str(rows.fetchall()[number - 1]["remote_id"])

    def hear(
        self, did: Did, about: str, text: str = "", who: str = LEA, room: str = ROOM, at: datetime | None = None
    ) -> str:
        """Somebody does something."""
        self._events += 1
        one = Heard(f"$e{self._events}", room, who, did, about, text, at or self.now)
        with self.state.transaction() as connection:
            heard.keep(connection, [one])
        return one.event

    def answers(self) -> list[str]:
        """What was answered."""
        rows = self.state.connection.execute("SELECT key FROM outbox WHERE channel = 'matrix' ORDER BY id").fetchall()
        return [said.text for row, said in zip(rows, self.said(), strict=True) if row["key"].startswith("answer:")]

    @property
    def first(self) -> Incident:
        return self.incidents()[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Chatting]:
    house = Chatting(tmp_path)
    house.see("a0")
    house.say_all()
    yield house
    house.state.close()


def test_a_reaction_takes_it_on_and_taking_it_back_undoes(house: Chatting) -> None:
    reaction = house.hear(Did.REACTED, house.event(), "👀")
    house.see("a0")
    assert house.first.acked_by == "léa"
    assert "Taken on by léa" in house.said()[-1].text
    house.hear(Did.TOOK_BACK, reaction)
    house.see("a0")
    assert house.first.acked_by == ""
    assert "Nobody looks after it" in house.said()[-1].text
    assert not house.said()[-1].rings


def test_one_who_goes_leaves_the_other(house: Chatting) -> None:
    first = house.hear(Did.REACTED, house.event(), "👀")
    second = house.hear(Did.REACTED, house.event(), "👀", HUGO)
    house.see("a0")
    assert house.first.acked_by == "hugo"
    house.hear(Did.TOOK_BACK, second, who=HUGO)
    house.see("a0")
    assert house.first.acked_by == "léa"
    house.hear(Did.TOOK_BACK, first, who=HUGO)  # not his
    house.see("a0")
    assert house.first.acked_by == "léa"


def test_what_a_command_line_said_stands_when_a_reaction_is_taken_back(house: Chatting) -> None:
    house.see("a0", ask={"kind": "ack", "incident": house.first.id, "by": "zoé"})
    reaction = house.hear(Did.REACTED, house.event(), "👀")
    house.see("a0")
    house.hear(Did.TOOK_BACK, reaction)
    house.see("a0")
    assert house.first.acked_by == "zoé"


def test_the_other_sign_silences_for_an_hour_and_a_command_for_as_long_as_it_says(house: Chatting) -> None:
    reaction = house.hear(Did.REACTED, house.event(), "🔕")
    house.see("a0")
    until = house.first.silenced_until
    assert until is not None
    assert timedelta(minutes=59) < until - house.now <= timedelta(hours=1)
    command = house.hear(Did.ASKED, house.event(), "!silence 2h")
    house.see("a0")
    assert house.first.silenced_until is not None
    assert house.first.silenced_until - house.now > timedelta(minutes=119)
    house.hear(Did.TOOK_BACK, command)
    house.see("a0")
    assert house.first.silenced_until == until
    house.hear(Did.TOOK_BACK, reaction)
    house.see("a0")
    assert house.first.silenced_until is None


def test_a_silence_that_was_asked_for_while_the_agent_was_down_counts_from_then(house: Chatting) -> None:
    house.hear(Did.ASKED, house.event(), "!silence 2h", at=house.now - timedelta(hours=3))
    house.hear(Did.ASKED, house.event(), "!silence 2h", HUGO, at=house.now - timedelta(hours=1))
    house.see("a0")
    assert "over already" in house.answers()[0]
    until = house.first.silenced_until
    assert until is not None
    assert timedelta(minutes=59) < until - house.now <= timedelta(hours=1)


def test_a_message_that_tells_several_is_taken_on_as_one(tmp_path: Path) -> None:
    house = Chatting(tmp_path)
    house.see("a0", "a1", "a2")
    house.say_all()
    house.hear(Did.REACTED, house.event(), "👀")
    house.see("a0", "a1", "a2")
    assert [each.acked_by for each in house.incidents()] == ["léa"] * 3
    house.state.close()


def test_a_command_without_an_incident_asks_which_and_one_with_its_number_is_confirmed(house: Chatting) -> None:
    house.hear(Did.ASKED, "", "!ack")
    house.hear(Did.ASKED, "", f"!ack {house.first.id}")
    house.hear(Did.ASKED, "", "!ack 999")
    house.see("a0")
    assert "Which incident" in house.answers()[0]
    assert house.answers()[1] == f"👀 #{house.first.id}: taken on by léa"
    assert "is over, or never was" in house.answers()[2]
    assert house.first.acked_by == "léa"


def test_a_stranger_gets_an_answer_and_nothing_else(house: Chatting) -> None:
    house.hear(Did.ASKED, house.event(), "!ack", EVE)
    house.hear(Did.REACTED, house.event(), "👀", EVE)
    house.see("a0")
    assert "only from the adminsys" in house.answers()[0]
    assert house.first.acked_by == ""


def test_people_of_another_project_are_told_whose_it_is(tmp_path: Path) -> None:
    projects = {"chorale": {"apps": ["a0"], "adminsys": ["hugo"]}, "_none": {"adminsys": ["hugo"]}}
    house = Chatting(tmp_path, projects={"chorale": projects["chorale"]})
    house.see("a0")
    house.say_all()
    connection = house.state.connection
    connection.execute('UPDATE incidents SET labels = \'[["app", "a0"], ["project", "chorale"]]\'')
    house.hear(Did.REACTED, house.event(), "👀", LEA)
    house.see("a0")
    assert house.first.acked_by == ""
    assert "another project's" in house.answers()[0]
    house.hear(Did.REACTED, house.event(), "👀", HUGO)
    house.see("a0")
    assert house.first.acked_by == "hugo"
    house.state.close()


def test_status_help_test_and_what_nobody_knows(house: Chatting) -> None:
    for command in ("!status", "!help", "!maintenance demain", "!frobnicate", "!test"):
        house.hear(Did.ASKED, "", command)
    house.see("a0")
    status, helped, maintenance, unknown, test = house.answers()
    assert "Open incidents: 1" in status
    assert f"[#{house.first.id}]" in status
    assert "!silence 12 2h" in helped
    assert "!maintenance list" in maintenance
    assert "!help" in unknown
    assert "Test" in test
    assert [said.rings for said in house.said()[-5:]] == [False, False, False, False, True]


def test_nothing_is_obeyed_twice_and_a_repeat_is_not_kept(house: Chatting) -> None:
    house.hear(Did.ASKED, "", "!status")
    house.see("a0")
    house._events -= 1
    house.hear(Did.ASKED, "", "!status")
    house.see("a0")
    assert len(house.answers()) == 1


def test_another_rooms_message_cannot_be_meant(house: Chatting) -> None:
    house.hear(Did.REACTED, house.event(), "👀", room="!chorale")
    house.see("a0")
    assert house.first.acked_by == ""


def test_what_makes_us_fail_is_given_up_and_holds_nothing_else(house: Chatting) -> None:
    house.hear(Did.ASKED, "", "!status")
    for _ in range(3):
        heard.begin(house.state.connection)  # three tries that ended badly
    house.hear(Did.ASKED, "", "!help")
    house.see("a0")
    assert len(house.answers()) == 1
    assert "!silence 12 2h" in house.answers()[0]


def test_a_flood_is_bounded(house: Chatting) -> None:
    many = [Heard(f"$f{number}", ROOM, LEA, Did.ASKED, "", "!status", house.now) for number in range(1500)]
    with house.state.transaction() as connection:
        assert heard.keep(connection, many) == 500


@pytest.mark.parametrize("text", ["!ack @room <b>", "!silence 2h\u202e", "!" + "é" * 199, "!ack 99999999999999999999"])
def test_hostile_words_get_a_harmless_answer(house: Chatting, text: str) -> None:
    house.hear(Did.ASKED, "", text)
    house.see("a0")
    (answer,) = house.answers()
    assert "@room" not in answer
    assert "\u202e" not in answer
