"""Planned work with a real evaluator on a real state: told where it concerns, quiet while it lasts, never for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.giving_way import giving_way
from agent.maintenance import store
from coloc import heard
from coloc.heard import Did, Heard
from tests.fakes.telling_house import ROOM, TellingHouse

HELP, CHOIR, BIKES = "#help:m.test", "!choir:m.test", "!bikes:m.test"
CHANNELS = {
    "matrix": {"homeserver": "https://m.test", "room": ROOM, "help_room": HELP},
    "forum": {"url": "https://f.test", "user": "coloc", "topic": 7},
}
HOUR = 3600


class Planning(TellingHouse):
    """Three apps: `a0` is the choir's, `a1` the cyclists', `a2` nobody's."""

    def __init__(self, folder: Path, **config: Any) -> None:
        projects = {
            "choir": {"title": "The choir", "apps": ["a0"], "room": CHOIR, "adminsys": ["léa"]},
            "bikes": {"apps": ["a1"], "room": BIKES, "adminsys": ["hugo"]},
        }
        adminsys = {"léa": {"matrix": "@lea:m.test"}, "hugo": {"matrix": "@hugo:m.test"}}
        values: dict[str, Any] = {"projects": projects, "channels": CHANNELS, "adminsys": adminsys}
        super().__init__(folder, **(values | config))
        self.colocation = type(self.colocation)(
            self.colocation.inventory, ("choir", "bikes"), {"a0": {"choir": 1.0}, "a1": {"bikes": 1.0}, "a2": {}}
        )

    def ask(self, verb: str, *down: str, after: float = 5, **values: Any) -> None:
        self.see(*down, after=after, ask={"kind": "maintenance", "verb": verb, **values})

    def declare(self, begins_in: float = 0, *, seconds: float = HOUR, **values: Any) -> None:
        begins = self.now.timestamp() + begins_in
        self.ask("declare", title="Upgrade", by="léa", begins=begins, seconds=seconds, **({"app": "a0"} | values))

    def rows(self) -> list[tuple[str, str, str]]:
        """(target, kind, text) of everything that is to be said."""
        rows = self.state.connection.execute("SELECT target, kind, payload FROM outbox ORDER BY id").fetchall()
        return [(row["target"], row["kind"], json.loads(row["payload"])["text"]) for row in rows]

    def write(self, text: str, who: str = "lea", room: str = ROOM) -> str:
        """Somebody writes in a room; the answer."""
        number = self.state.connection.execute("SELECT count(*) FROM heard").fetchone()[0]
        with self.state.transaction() as connection:
            heard.keep(connection, [Heard(f"$h{number}", room, f"@{who}:m.test", Did.ASKED, "", text, self.now)])
        self.see()
        row = self.state.connection.execute(
            "SELECT json_extract(payload, '$.text') AS text FROM outbox WHERE key = ?", (f"answer:$h{number}",)
        ).fetchone()
        return str(row["text"])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Planning]:
    house = Planning(tmp_path)
    house.see()
    yield house
    house.state.close()


def test_it_is_told_once_where_it_concerns_and_rings_nobody(house: Planning) -> None:
    house.declare(10 * HOUR)
    house.see()
    assert [(target, kind) for target, kind, _ in house.rows()] == [
        (ROOM, "new"),
        (CHOIR, "new"),
        (HELP, "new"),
        ("7", "new"),
    ]
    assert house.rings() == 0
    text = house.rows()[0][2]
    assert "Maintenance declared: Upgrade [M1]" in text
    assert "It concerns: A0 (a0)" in text
    assert "2026-11-23 22:00 +01:00 to 2026-11-23 23:00 +01:00" in text
    assert "léa" not in " ".join(row[2] for row in house.rows())


def test_the_whole_server_is_told_in_every_room(house: Planning) -> None:
    house.declare(app="")
    assert {target for target, _, _ in house.rows()} == {ROOM, CHOIR, BIKES, HELP, "7"}
    assert "It concerns: the whole server" in house.rows()[0][2]


def test_nothing_is_told_outside_before_the_stage_alert(tmp_path: Path) -> None:
    house = Planning(tmp_path, stage="backup")
    house.declare()
    assert house.said("matrix") == house.said("forum") == []
    house.state.close()


def test_an_hour_before_rooms_are_reminded_and_the_forum_is_not(house: Planning) -> None:
    house.declare(10 * HOUR)
    before = len(house.rows())
    house.see(after=9 * HOUR)
    house.see()
    assert [(target, kind) for target, kind, _ in house.rows()[before:]] == [
        (ROOM, "new"),
        (CHOIR, "new"),
        (HELP, "new"),
    ]
    assert "Soon: maintenance, Upgrade [M1]" in house.rows()[-1][2]
    assert house.rings() == 0


def test_what_it_covers_is_quiet_and_the_rest_is_not(house: Planning) -> None:
    house.declare()
    house.see("a0", "a1")
    house.see("a0", "a1")
    texts = [text for target, _, text in house.rows() if target in {ROOM, CHOIR, BIKES}]
    assert any("A1 (a1) is down" in text for text in texts)
    assert not any("A0 (a0) is down" in text for text in texts)
    assert [each.held for each in house.incidents()] == ["silenced", ""]


def test_its_end_says_what_is_still_broken_and_then_that_is_told(house: Planning) -> None:
    house.declare()
    house.see("a0")
    house.see("a0")
    house.ask("end", "a0", maintenance=1)
    ended = [text for target, kind, text in house.rows() if target == "7" and kind == "edit"][-1]
    assert "Maintenance over: Upgrade [M1]" in ended
    assert "Ended: 2026-11-23 12:00 +01:00" in ended
    assert "Still broken:\n• A0 (a0) is down" in ended
    house.see("a0")
    assert any("A0 (a0) is down [#1]" in text for target, _, text in house.rows() if target == CHOIR)
    assert house.rings() == 1


def test_what_ran_again_before_the_end_is_never_told(house: Planning) -> None:
    house.declare()
    house.see("a0")
    house.see()
    house.ask("end", maintenance=1)
    house.see()
    assert "Nothing that it concerns is broken." in house.rows()[-2][2] + house.rows()[-1][2]
    assert not any("is down" in text for _, _, text in house.rows())


def test_an_overrun_rings_once_and_what_is_covered_is_told_again_until_it_is_extended(house: Planning) -> None:
    house.declare()
    house.see("a0", after=HOUR)
    for _ in range(3):
        house.see("a0")
    overruns = [text for _, kind, text in house.rows() if kind == "new" and "goes on beyond" in text]
    assert len(overruns) == 1
    rang = house.rings()
    assert rang == 1, "the app that is down and the overrun began together: one message"
    house.ask("extend", "a0", maintenance=1, seconds=1800)
    house.see("a0", "a2", after=30)
    assert house.rings() == rang + 1, "only of what it does not cover"
    phases = {each.rule: str(each.phase) for each in house.incidents()}
    assert phases["maintenance_overrun"] == "resolved"


def test_a_restart_a_clock_that_jumps_and_a_late_start_lose_nothing(house: Planning) -> None:
    house.declare(2 * HOUR)
    house.reopen()
    house.see(after=2 * HOUR)
    (one,) = store.open_ones(house.state.connection)
    assert (str(one.phase), one.started_at) == ("running", one.begins_at)
    house.now -= timedelta(days=2)
    house.see("a0")
    house.reopen()
    house.see("a0")
    assert str(store.open_ones(house.state.connection)[0].phase) == "running"
    keys = [row["key"] for row in house.state.connection.execute("SELECT key FROM outbox WHERE kind = 'new'")]
    assert len([key for key in keys if key == "maintenance:1:forum:7"]) == 1


def test_what_is_cancelled_says_so_and_begins_no_more(house: Planning) -> None:
    house.declare(2 * HOUR)
    house.ask("cancel", maintenance=1)
    house.see(after=3 * HOUR)
    assert store.open_ones(house.state.connection) == []
    assert "Maintenance cancelled" in [text for target, _, text in house.rows() if target == "7"][-1]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"verb": "end", "maintenance": 9},
        {"verb": "end", "maintenance": 2**62},
        {"verb": "end", "maintenance": "1"},
        {"verb": "explode", "maintenance": 1},
        {"verb": "declare", "seconds": 1e300},
        {"verb": "declare", "seconds": -5},
        {"verb": "declare", "seconds": 60, "begins": 1e10},
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(house: Planning, nonsense: dict[str, Any]) -> None:
    house.see(ask={"kind": "maintenance", **nonsense})
    assert store.latest(house.state.connection, 9) == []


def test_a_request_whose_file_is_still_there_after_a_crash_is_obeyed_once(house: Planning) -> None:
    wish = {"id": "0001-a", "verb": "declare", "title": "Upgrade", "by": "léa", "seconds": 60}
    house.see(ask={"kind": "maintenance", **wish})
    house.reopen()
    house.see(ask={"kind": "maintenance", **wish})
    assert [one.title for one in store.latest(house.state.connection, 9)] == ["Upgrade"]
    house.see(ask={"kind": "maintenance", **wish, "id": "0002-b"})
    assert len(store.latest(house.state.connection, 9)) == 2


def test_no_more_than_fifty_stand_open(house: Planning) -> None:
    for _ in range(51):
        house.declare(app="")
    assert len(store.open_ones(house.state.connection)) == 50
    assert "Fifty are planned" in house.write('!maintenance "x" a0 now 1h')


def test_a_title_from_outside_is_one_harmless_line(house: Planning) -> None:
    house.declare(seconds=60)
    house.ask("declare", title="@room <b>\n\u202ex" * 100, by="x", seconds=60)
    text = house.rows()[-1][2]
    assert "@room" not in text
    assert "\u202e" not in text
    assert len(text.split("\n")[0]) < 200


def test_its_message_is_kept_while_it_lasts_however_old(house: Planning) -> None:
    house.declare(80 * 24 * HOUR)
    house.state.connection.execute("UPDATE outbox SET state = 'sent', remote_id = 'x'")
    house.state.tidy("2027-01-31T00:00:00.000000+00:00")
    assert len(house.rows()) == 4
    house.ask("cancel", maintenance=1)
    house.state.connection.execute("UPDATE outbox SET state = 'sent', remote_id = 'x'")
    house.state.tidy("2027-01-31T00:00:00.000000+00:00")
    assert house.rows() == []
    assert store.latest(house.state.connection, 9) == []


def test_quotas_of_what_is_worked_on_give_way(house: Planning) -> None:
    house.declare()
    found = giving_way(house.config, house.state.connection, house.now, colocation=house.colocation)
    assert found == dict.fromkeys(["app a0", "project choir"], "the maintenance M1 goes on")
    house.ask("end", maintenance=1)
    assert giving_way(house.config, house.state.connection, house.now, colocation=house.colocation) == {}


def test_it_is_declared_and_changed_in_a_room(house: Planning) -> None:
    assert house.write('!maintenance "Mise à jour" a0 22:00 1h') == "🔧 Declared as M1, from 2026-11-23 22:00 +01:00"
    assert house.write("!maintenance list") == "• M1 Mise à jour · 2026-11-23 22:00 +01:00 → 2026-11-23 23:00 +01:00"
    assert "has not begun" in house.write("!maintenance end 1")
    assert "M1 has begun" in house.write("!maintenance start 1")
    assert "goes on already" in house.write("!maintenance cancel 1")
    assert "now ends at 2026-11-23 13:30" in house.write("!maintenance extend 1 30m")
    assert house.write("!maintenance finir 1") == "✅ M1 is over"
    assert house.write("!maintenance") == "No maintenance is planned or goes on."


def test_in_a_room_what_cannot_be_is_said(house: Planning) -> None:
    assert "!maintenance list, start 3" in house.write("!maintenance tomorrow perhaps")
    assert house.write('!maintenance "x" nowhere now 1h') == "I know no app or project of that name: nowhere"
    assert "seven days" in house.write('!maintenance "x" a0 now 9d')
    assert "No maintenance of that number" in house.write("!maintenance end 5")
    assert "adminsys whose Matrix account" in house.write('!maintenance "x" a0 now 1h', who="eve")
    assert store.latest(house.state.connection, 9) == []


def test_people_plan_for_their_own_projects_and_for_the_server(house: Planning) -> None:
    assert "another project" in house.write('!maintenance "x" a0 now 1h', who="hugo")
    house.write('!maintenance "x" a0 now 1h')
    assert "another project" in house.write("!maintenance end 1", who="hugo")
    assert "Declared as M2" in house.write('!maintenance "x" serveur now 1h', who="hugo")
