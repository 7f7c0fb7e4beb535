"""Mail on a real postfix: held while a project is over its limit, let go afterwards, every single one accounted for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coloc.agreed import AgreedLimit, Target
from helper.mail_hold import TABLE, MailActuator, MailTraces, set_up
from tests.fakes.mail_house import MailHouse, mail_house
from tests.fakes.waiting import until

UNDO = Path(__file__).parents[3] / "deploy" / "undo.sh"
LIMIT = AgreedLimit(8, 10, "throttle")
BLOG, WIKI = 61_971, 61_972
VELO = Target("velo", "", (), (BLOG,), (), (), (), {})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MailHouse]:
    assert os.geteuid() == 0, "a postfix of its own needs root"
    with mail_house(tmp_path / "postfix") as found:
        yield found


def actuator(house: MailHouse, resource: str = "mail_per_hour") -> MailActuator:
    return MailActuator(resource, run=house.run, place=house.place)


def traces(house: MailHouse) -> MailTraces:
    return MailTraces(run=house.run, place=house.place)


def test_mail_is_held_never_refused_and_every_one_goes_out_afterwards(house: MailHouse) -> None:
    before = house.main_cf
    assert "does not look at our list" in actuator(house).cannot(VELO)
    assert len(set_up(run=house.run, place=house.place)) == 2
    assert set_up(run=house.run, place=house.place) == []
    assert (actuator(house).cannot(VELO), TABLE in house.main_cf) == ("", True)
    done = actuator(house).apply(VELO, "throttle", LIMIT)
    assert f"userid {BLOG}" in done.call
    assert actuator(house).read_back(VELO, "throttle", LIMIT).stands
    numbers = range(5)
    for number in numbers:
        house.send(BLOG, f"blog{number}@out.test")
    house.send(WIKI, "wiki@out.test")
    until(lambda: len(house.held()) == 5 and house.sent("wiki@out.test"), seconds=120, what="the mails")
    assert house.held() == [f"blog{number}@out.test" for number in numbers]
    # Held for the day as well: what the hour lets go stays held.
    actuator(house, "mail_per_day").apply(VELO, "throttle", LIMIT)
    actuator(house).undo(VELO)
    assert len(house.held()) == 5
    assert not actuator(house).read_back(VELO, "throttle", LIMIT).stands
    actuator(house, "mail_per_day").undo(VELO)
    house.look_at_the_queue()
    until(lambda: all(house.sent(f"blog{number}@out.test") for number in numbers), seconds=120, what="what was held")
    assert house.held() == []
    house.send(BLOG, "later@out.test")
    until(lambda: house.sent("later@out.test"), seconds=120, what="the next mail")
    assert [trace.place for trace in traces(house).find()] == ["/etc/postfix/main.cf", str(house.place)]
    traces(house).undo_all()
    assert house.main_cf == before
    assert list(traces(house).find()) == []
    house.send(BLOG, "last@out.test")
    until(lambda: house.sent("last@out.test"), seconds=120, what="mail after everything was undone")


def by_traces(house: MailHouse) -> str:
    return "\n".join(traces(house).undo_all())


def by_sh(house: MailHouse) -> str:
    env = {
        "DESTDIR": "/nonexistent-root",
        "SERVERS": "yes",
        "MARIADB_OPTIONS": "--socket=/nonexistent",
        "PGHOST": "/nonexistent",
    }
    argv = ["env", *(f"{name}={value}" for name, value in env.items()), "sh", str(UNDO)]
    return house.run(argv, timeout=120).stdout


@pytest.mark.parametrize("undo", [by_traces, by_sh])
def test_undoing_everything_lets_held_mail_go_and_keeps_what_others_check(
    house: MailHouse, undo: Callable[[MailHouse], str]
) -> None:
    house.run(["postconf", "-e", "header_checks=regexp:/etc/postfix/other"], timeout=60)
    (house.place.parent / "other").write_text("/^X-Never:/ IGNORE\n")
    set_up(run=house.run, place=house.place)
    actuator(house).apply(replace(VELO, uids=(BLOG, WIKI)), "throttle", LIMIT)
    house.send(BLOG, "blog@out.test")
    house.send(WIKI, "wiki@out.test")
    until(lambda: len(house.held()) == 2, seconds=120, what="the mails")
    assert "coloc_agent_hold: removed" in undo(house)
    assert house.held() == []
    house.look_at_the_queue()
    until(lambda: house.sent("blog@out.test") and house.sent("wiki@out.test"), seconds=120, what="what was held")
    assert "header_checks = regexp:/etc/postfix/other\n" in house.main_cf
    assert traces(house).undo_all() == []


def test_under_yunohost_its_own_file_is_written_by_a_hook_and_never_by_us(house: MailHouse, tmp_path: Path) -> None:
    hook = tmp_path / "hooks.d/conf_regen/95-postfix"
    hook.parents[1].mkdir()
    before = house.main_cf
    assert "yunohost tools regen-conf postfix" in set_up(run=house.run, place=house.place, hook=hook)[1]
    assert house.main_cf == before
    assert set_up(run=house.run, place=house.place, hook=hook) == []
    # What YunoHost does: its own hook has written the file into the pending folder, then ours is run.
    pending = tmp_path / "pending/etc/postfix/main.cf"
    pending.parent.mkdir(parents=True)
    for text, added in ((REAL, True), (f"{REAL}header_checks = regexp:/etc/postfix/mine\n", False)):
        pending.write_text(text)
        for moment in ("pre", "pre", "post"):
            house.run(["bash", str(hook), moment, "0", "0", str(tmp_path / "pending")], timeout=60)
        assert pending.read_text() == (f"{text}\nheader_checks = {TABLE}\n" if added else text)
    undoing = MailTraces(run=house.run, place=house.place, hook=hook)
    assert [trace.place for trace in undoing.find()] == [str(hook), str(house.place)]
    undoing.undo_all()
    assert list(undoing.find()) == []
    assert house.main_cf == before


REAL = (Path(__file__).parents[2] / "captured/yunohost/real/etc/postfix/main.cf").read_text()
