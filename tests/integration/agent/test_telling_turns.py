"""From what is seen to what is said: together, at night, silenced, unstable; nothing is lost, nothing said twice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import told_store
from agent.incidents import Phase
from tests.fakes.telling_house import NOON, TellingHouse

NIGHT = (timedelta(hours=12)).total_seconds()  # from noon
HIGH: dict[str, Any] = {"apps": {"a0": {"service": "high"}, "a1": {"service": "standard"}}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[TellingHouse]:
    house = TellingHouse(tmp_path)
    yield house
    house.state.close()


def test_what_begins_in_one_turn_is_one_message_that_rings_once(house: TellingHouse) -> None:
    house.see("a0", "a1", "a2")
    (said,) = house.said()
    assert said.rings
    assert said.text.splitlines()[0] == "🟠 3 incidents"
    assert all(f"A{number} (a{number}) is down" in said.text for number in range(3))


def test_what_begins_seconds_later_joins_the_message_silently(house: TellingHouse) -> None:
    house.see("a0")
    house.see("a0", "a1")
    house.see("a0", "a1", "a2")
    assert next((item.kind, item.rings) for item in house.said() if item.kind != "reply") == ("new", True)
    assert house.rings() == 1
    assert len({item.about for item in house.said()}) == 1
    assert "3 incidents" in house.said()[-1].text


def test_what_begins_later_is_a_message_of_its_own(house: TellingHouse) -> None:
    house.see("a0")
    house.see("a0", "a1", after=60)
    assert [item.kind for item in house.said()] == ["new", "new"]


def test_a_storm_of_500_is_one_message_and_one_ring(tmp_path: Path) -> None:
    house = TellingHouse(tmp_path, count=500)
    apps = tuple(f"a{number}" for number in range(500))
    house.see(*apps[:300])
    house.see(*apps[:450])
    house.see(*apps)
    assert house.rings() == 1
    assert len({item.about for item in house.said()}) == 1
    assert "500 incidents" in house.said()[-1].text
    assert len(house.said()[-1].text.splitlines()) <= 42
    house.see()
    assert "All 500 incidents are over" in [item.text for item in house.said() if item.kind == "edit"][-1]
    assert house.rings() <= 2
    house.state.close()


def test_by_night_the_rest_is_one_digest_in_the_morning(tmp_path: Path) -> None:
    house = TellingHouse(tmp_path, **HIGH)
    house.see(after=NIGHT)
    house.see("a1", after=60)
    house.see("a1", "a2", after=3600)
    house.see("a1", after=600)
    assert house.said() == []
    assert house.said("console") != []
    house.see("a0", "a1", after=600)
    assert [item.rings for item in house.said()] == [True], "an app of high service rings"
    house.see("a1", after=600)
    before = len(house.said())
    house.see("a1", after=7 * 3600)
    (morning,) = [item for item in house.said()[before:] if item.kind == "new"]
    assert morning.text.splitlines()[0] == "🔴 1 incidents, 1 are over"
    assert morning.rings
    house.see("a1")
    assert len(house.said()) == before + 1
    house.state.close()


def test_a_night_in_which_all_mended_itself_is_a_digest_that_rings_nobody(house: TellingHouse) -> None:
    house.see(after=NIGHT)
    house.see("a1")
    house.see()
    house.see(after=10 * 3600)
    assert [(item.kind, item.rings) for item in house.said()] == [("new", False)]


def test_a_silence_keeps_quiet_and_tells_at_its_end_what_is_left(house: TellingHouse) -> None:
    house.see(ask={"kind": "quiet", "app": "a*", "seconds": 3600, "by": "léa", "why": "moving house"})
    house.see("a0", "a1")
    house.see("a0", after=60)
    assert (house.said(), house.said("console")) == ([], [])
    assert [incident.held for incident in house.incidents()] == ["silenced", ""]
    house.see("a0", after=3600)
    assert [(item.kind, item.rings) for item in house.said()] == [("new", True)]
    assert "A1" not in house.said()[0].text


def test_a_silence_can_be_ended(house: TellingHouse) -> None:
    house.see(ask={"kind": "quiet", "seconds": 3600, "by": "léa"})
    house.see("a0")
    house.see("a0", ask={"kind": "unquiet", "silence": 1, "by": "léa"})
    assert house.rings() == 1


def test_a_resolution_is_told_under_a_silence_too(house: TellingHouse) -> None:
    house.see("a0")
    house.see("a0", ask={"kind": "silence", "incident": 1, "seconds": 3600, "by": "léa"})
    house.see()
    assert house.said()[-1].text.startswith("✅") or "✅" in [i for i in house.said() if i.kind == "edit"][-1].text
    assert house.rings() == 1


def test_an_unstable_app_is_told_three_times_and_then_only_edited(house: TellingHouse) -> None:
    for _ in range(12):
        house.see("a0", after=100)
        house.see(after=100)
    assert len({item.about for item in house.said()}) == 3
    new = [item for item in house.said() if item.kind == "new"]
    assert [("Unstable" in item.text) for item in new] == [False, False, True]
    assert len(house.incidents()) == 3
    house.see(after=1)
    house.see(after=1800)
    assert house.incidents()[-1].phase is Phase.RESOLVED


def test_what_waits_for_a_rule_is_not_told_twice_after_a_restart(house: TellingHouse) -> None:
    house.see("a0")
    house.see("a0", ask={"kind": "ack", "incident": 1, "by": "léa"})
    count = len(house.said())
    house.reopen()
    house.see("a0")
    house.see("a0", after=-86400)
    house.see("a0", after=86400 * 2)
    assert len([item for item in house.said()[count:] if item.rings]) == 0
    assert house.incidents()[0].acked_by == "léa"


def test_an_acknowledgement_of_a_message_is_one_of_all_that_it_tells(house: TellingHouse) -> None:
    house.see("a0", "a1")
    house.see("a0", "a1", ask={"kind": "ack", "about": house.said()[0].about, "by": "léa"})
    assert [incident.acked_by for incident in house.incidents()] == ["léa", "léa"]


MOVES = st.tuples(
    st.sets(st.sampled_from(["a0", "a1", "a2"])),
    st.sampled_from([5, 5, 5, 20, 300, 3600, 6 * 3600, -3600, -86400]),
    st.sets(st.sampled_from(["a0", "a1"]), max_size=1),
    st.sampled_from(
        [
            None,
            None,
            None,
            {"kind": "ack", "incident": 1, "by": "léa"},
            {"kind": "silence", "incident": 2, "seconds": 600, "by": "léa"},
            {"kind": "quiet", "app": "a0", "seconds": 1200, "by": "léa"},
            {"kind": "unquiet", "silence": 1, "by": "léa"},
            {"kind": "restart"},
        ]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MOVES, max_size=25), st.sampled_from([{}, HIGH]))
def test_over_any_sequence_nothing_is_lost_and_nothing_rings_twice(
    moves: list[tuple[set[str], float, set[str], dict[str, Any] | None]], config: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = TellingHouse(Path(folder), **config)
        house.state.connection.execute("PRAGMA synchronous = OFF")
        for down, after, unknown, ask in moves:
            if ask == {"kind": "restart"}:
                house.reopen()
                house.state.connection.execute("PRAGMA synchronous = OFF")
                ask = None
            house.see(*down, after=after, unknown=tuple(unknown), ask=ask)
        last = set(moves[-1][0]) if moves else set()
        house.now = max(house.now, NOON) + timedelta(days=40)  # every silence and every night is over
        house.now = house.now.replace(hour=11)
        house.see(*last)
        house.see(*last)
        _nothing_is_lost(house)
        _nothing_rings_twice(house)
        house.state.close()


def _nothing_is_lost(house: TellingHouse) -> None:
    said = house.said()
    for incident in house.incidents():
        place = told_store.places(house.state.connection, incident.id).get("matrix")
        if incident.phase is Phase.FIRING:
            assert place is not None, "a firing that nobody was told of"
        assert incident.held == "" or incident.phase is Phase.CLEARING
        if place is not None:
            last = [item for item in said if item.about == place.about and item.kind != "reply"][-1]
            assert f"[#{incident.id}]" in last.text
            over = next(line for line in last.text.splitlines() if f"[#{incident.id}]" in line).startswith("✅")
            assert over is (incident.phase is Phase.RESOLVED), "the last word is not the truth"


def _nothing_rings_twice(house: TellingHouse) -> None:
    """Severities do not move here: a message rings when it begins, and perhaps at the word that was held back."""
    by_message: dict[str, int] = {}
    for item in house.said():
        if item.kind != "reply":
            by_message[item.about] = by_message.get(item.about, 0) + item.rings
    assert max(by_message.values(), default=0) <= 1
    assert all(house.said("matrix")[0].kind == "new" for _ in house.said()[:1])
