"""Daemon and helper together: a project is slowed, bounded, freed; whoever is killed, state and kernel meet again."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.agreeing import agreed_from
from agent.enforcement import EVERYTHING, Around
from agent.quota_picture import QuotaPicture
from coloc.agreed import AgreedApp, AgreedLimit
from coloc.config.whole import Config
from helper.journal import confirm, read_held
from tests.fakes.enforced_house import COLOCATION, DATA, NOW, EnforcedHouse, user_ids

CPU = ("velo", "", "cpu")
MEMORY = ("velo", "", "memory")
SLICE = "coloc-velo.slice"
FREE, THROTTLED, BOUND = "max 100000", "100000 100000", "80000 100000"


@pytest.fixture
def house(tmp_path: Path) -> EnforcedHouse:
    return EnforcedHouse(tmp_path)


def cpu(house: EnforcedHouse) -> str:
    return house.systemd.shown(SLICE, "cpu.max")


def test_a_project_is_told_slowed_bounded_and_freed(house: EnforcedHouse) -> None:
    seen = []
    for days, used in ((0, 1.5), (1, 1.5), (1, 1.5), (0, 1.5), (1, 0.1)):
        found = house.tick({CPU: used}, days=days)
        seen.append((str(house.standings[CPU].step), cpu(house)))
        if len(seen) == 3:
            waits = {each.agreement.key: (each.why, each.detail) for each in found.verdicts}
            assert waits[CPU] == ("waits for a human", "hard")
            confirm(house.folder, (*CPU, "hard"), house.now, "root")
    assert seen == [("warn", FREE), ("throttle", THROTTLED), ("hard", THROTTLED), ("hard", BOUND), ("fine", FREE)]
    assert read_held(house.folder) == {}


def test_a_daemon_that_starts_again_takes_over_what_is_held_and_orders_nothing(house: EnforcedHouse) -> None:
    for days in (0, 1, 1):
        house.tick({CPU: 1.5}, days=days)
    confirm(house.folder, (*CPU, "hard"), house.now, "root")
    house.tick({CPU: 1.5}, rounds=3)
    assert cpu(house) == BOUND
    house.restart()
    house.asked.clear()
    house.tick({CPU: 1.5})
    assert {ask.verb for ask in house.asked} == {"read", "move"}
    assert cpu(house) == BOUND


def test_what_is_held_is_shown_with_its_evidence(house: EnforcedHouse) -> None:
    house.tick({CPU: 1.5})
    found = house.tick({CPU: 1.5}, days=1)
    (shown,) = (each for each in QuotaPicture(house.config, found).of(house.standings.values()) if each.held)
    held = shown.held
    assert held is not None
    assert (held.step, held.used, held.limit, held.since, held.stands) == (
        "throttle",
        1.5,
        1,
        NOW + timedelta(days=1),
        True,
    )
    assert held.call == "systemctl set-property --runtime -- coloc-velo.slice CPUQuota=100%"
    assert held.file.endswith("coloc.slice/coloc-velo.slice/cpu.max")
    assert held.says == THROTTLED


def test_an_app_has_a_limit_of_its_own(house: EnforcedHouse) -> None:
    own = ("velo", "blog", "cpu")
    for days in (0, 7):
        house.tick({own: 3.0}, days=days)
    assert house.systemd.shown("coloc-velo-blog.slice", "cpu.max") == THROTTLED
    assert cpu(house) == FREE


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "alert"},
        {"projects": {"velo": {"quotas": {"cpu": 1, "grace": "1d", "allow": "hard"}}}, "apps": {}},
        {"enforce": {"slices": True}},
    ],
)
def test_without_asking_for_it_or_before_its_time_nothing_is_asked_of_anybody(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    house = EnforcedHouse(tmp_path, DATA | change)
    for _ in range(5):
        house.tick({CPU: 9.0}, days=1)
    assert house.standings[CPU].would_have_acted == 2
    assert {ask.verb for ask in house.asked} <= ({"read"} if "enforce" in change else set())
    assert [call for call in house.systemd.calls if "set-property" in call] == []
    assert cpu(house) == FREE
    assert not house.folder.exists()


def test_everything_is_given_back_while_yunohost_works_and_decided_afresh_after(house: EnforcedHouse) -> None:
    for days in (0, 1):
        house.tick({CPU: 1.5}, days=days)
    around, house.around = house.around, Around(timedelta(0), {EVERYTHING: "YunoHost is at work"})
    found = house.tick({CPU: 1.5})
    assert cpu(house) == FREE
    assert {each.why for each in found.verdicts if each.agreement.enforced} == {"gives way"}
    house.around = around
    house.tick({CPU: 1.5})
    assert cpu(house) == THROTTLED


def test_a_reboot_is_seen_and_held_again(house: EnforcedHouse) -> None:
    for days in (0, 1):
        house.tick({CPU: 1.5}, days=days)
    house.systemd.begin(SLICE)
    assert cpu(house) == FREE
    house.tick({CPU: 1.5})
    assert cpu(house) == THROTTLED


def test_a_machine_that_cannot_is_recognised_and_never_said_to_hold(tmp_path: Path) -> None:
    house = EnforcedHouse(tmp_path, controllers="")
    for days in (0, 1, 0):
        found = house.tick({CPU: 1.5}, days=days)
    why = {each.agreement.key: each.why for each in found.verdicts}
    assert (why[CPU], found.answer.held) == ("cannot enforce here", ())
    assert {ask.verb for ask in house.asked} == {"read"}


def test_a_systemd_that_lies_is_told_and_not_asked_at_each_tick(tmp_path: Path) -> None:
    house = EnforcedHouse(tmp_path, deaf=True)
    house.tick({CPU: 1.5})
    found = house.tick({CPU: 1.5}, days=1)
    assert "cannot be enforced here" in found.refused[CPU]
    assert found.answer.held == ()
    for _ in range(10):
        house.enforcing.round(house.clock + 1)
    assert sum(ask.verb == "hold" for ask in house.asked) <= 2


def test_a_helper_that_does_not_answer_is_told_once_it_does_it_goes_on(house: EnforcedHouse) -> None:
    house.silent = True
    for days in (0, 1):
        found = house.tick({CPU: 1.5}, days=days)
    assert found.trouble == "nobody answers"
    house.silent = False
    assert house.tick({CPU: 1.5}).trouble == ""
    assert cpu(house) == THROTTLED


class Killed(Exception):
    """As if by kill -9."""


@pytest.mark.parametrize("seed", range(40))
def test_wherever_one_of_them_is_killed_the_next_start_brings_both_together(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    house = EnforcedHouse(tmp_path)
    run = house.systemd.run

    def perhaps(_: str) -> None:
        if chance.random() < 0.3:
            raise Killed

    def run_or_die(*args: Any, **options: Any) -> Any:
        perhaps("before the order")
        done = run(*args, **options)
        perhaps("after the order")
        return done

    for day in range(12):
        used = {CPU: chance.choice([0.1, 1.5]), MEMORY: chance.choice([1.0, 5000.0])}
        house.killed, house.systemd.run = perhaps, run_or_die  # type: ignore[method-assign]
        try:
            house.tick(used, days=1)
        except Killed:
            house.restart()
        if day % 4 == 3:
            house.killed, house.systemd.run = lambda moment: None, run  # type: ignore[method-assign]
            found = house.tick(used, rounds=3)
            wanted = {each.agreement.key: each.step for each in found.verdicts if each.step != "fine"}
            held = {each.key: each for each in found.answer.held}
            assert {key: each.step for key, each in held.items()} == wanted
            assert all(each.stands for each in held.values())
            assert (cpu(house) == FREE) == (CPU not in wanted)
            assert (house.systemd.shown(SLICE, "memory.high") == "max") == (MEMORY not in wanted)


def test_what_root_writes_down_is_what_was_opted_in_and_nobody_else_s() -> None:
    agreed = agreed_from(Config.model_validate(DATA), COLOCATION, user_ids)
    assert set(agreed.projects) == {"velo", "chorale"}
    velo = agreed.projects["velo"]
    assert (velo.weight, set(velo.limits)) == (200, {"cpu", "memory"})
    assert velo.limits["cpu"] == AgreedLimit(0.8, 1, "hard")
    # The shared app and the database that it names as well are nobody's alone.
    assert velo.apps == {
        "blog": AgreedApp(
            ("blog.service",), (1001,), ("/var/www/blog",), ("blog",), (), {"cpu": AgreedLimit(0.8, 1, "throttle")}
        )
    }
    assert agreed.projects["chorale"].limits == {}


@pytest.mark.parametrize("change", [{"stage": "alert"}, {"enforce": None, "projects": {}, "apps": {}}])
def test_before_its_stage_and_without_the_key_nothing_is_written_down(change: dict[str, Any]) -> None:
    assert agreed_from(Config.model_validate(DATA | change), COLOCATION, user_ids).projects == {}
