"""When steps of quotas are given back: YunoHost's lock, a backup at work, a person's word, over a restart as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.backup_store import FactReader
from agent.enforcement import EVERYTHING
from agent.giving_way import giving_way
from agent.quota_agreements import agreements
from agent.quota_release import LONGEST, obey, released
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.requests import Request
from coloc.state import State, open_state
from tests.fakes.enforced_house import COLOCATION, DATA

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONFIG = Config.model_validate(DATA)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(open_state(tmp_path / "state.db")) as found:
        yield found


@pytest.mark.parametrize(
    ("facts", "at_work"),
    [
        ((), False),
        ((("run_started", -1),), True),
        ((("run_started", -1), ("run_finished", -0.5)), False),
        ((("run_started", -3), ("run_finished", -2), ("run_started", -1)), True),
        ((("run_started", -7),), False),  # it never said its end: longer than the longest run there may be
    ],
)
def test_a_backup_at_work_is_given_way_to(
    state: State, tmp_path: Path, facts: tuple[tuple[str, float], ...], at_work: bool
) -> None:
    spool = Spool(tmp_path / "facts")
    for kind, hours in facts:
        spool.write(kind, NOW + hours * HOUR, apps=["blog"], hosts=["merle"])
    FactReader(state, spool).take(NOW)
    found = giving_way(CONFIG, state.connection, NOW, lock=tmp_path / "none")
    assert found == ({EVERYTHING: "a backup is at work"} if at_work else {})


def test_yunohost_at_work_is_given_way_to_and_a_lock_left_behind_is_not(state: State, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("4000000000\n77")
    assert giving_way(CONFIG, state.connection, NOW, lock=lock, proc=tmp_path) == {}
    (tmp_path / "77").mkdir()
    assert giving_way(CONFIG, state.connection, NOW, lock=lock, proc=tmp_path) == {EVERYTHING: "YunoHost is at work"}


def test_a_project_is_left_alone_until_the_time_that_was_asked_for(state: State) -> None:
    agreed = list(agreements(CONFIG, COLOCATION))
    assert released(state, agreed) == {}
    with state.transaction():
        assert obey(state, Request("1", "quota_release", {"project": "velo", "seconds": 7200.0}), NOW)
    until = released(state, agreed)
    assert {key[0] for key in until} == {"velo"}
    assert set(until.values()) == {NOW + 2 * HOUR}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"project": "velo"},
        {"project": "", "seconds": 5},
        {"project": 5, "seconds": 5},
        {"project": "velo", "seconds": -1},
        {"project": "velo", "seconds": "5"},
    ],
)
def test_a_request_that_makes_no_sense_does_nothing(state: State, values: dict[str, str | int | float]) -> None:
    assert not obey(state, Request("1", "quota_release", values), NOW)
    assert released(state, agreements(CONFIG, COLOCATION)) == {}


def test_nobody_is_left_alone_for_ever(state: State) -> None:
    with state.transaction():
        obey(state, Request("1", "quota_release", {"project": "velo", "seconds": 1e12}), NOW)
    assert set(released(state, agreements(CONFIG, COLOCATION)).values()) == {NOW + LONGEST}
