"""What a clock that was far ahead wrote down neither blinds the rules nor hides what is true now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import backup_store, incident_store
from agent.backup_store import FactReader
from agent.evaluator import Evaluator
from agent.incidents import Incident, Phase, Severity
from agent.observation import Observation
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.model import App
from coloc.state import State, open_state
from tests.fakes.colocations import colocation

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
YEARS = timedelta(days=900)
HOUR = timedelta(hours=1)
YML = b"""
coloc: {name: ruche}
stage: backup
apps: {blog: {folders: [/var/www/blog]}}
backup: {passphrase_file: /x, hosts: {merle: {path: /srv/merle}}}
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "facts")


def config() -> Config:
    return parse_config(YML, "coloc.yml")


def test_a_host_that_was_down_in_the_future_is_known_by_its_last_true_word(state: State, spool: Spool) -> None:
    spool.write("host", NOW + YEARS, host="merle", reachable=False, why="the clock was ahead")
    spool.write("host", NOW, host="merle", reachable=True, why="")
    FactReader(state, spool).take(NOW)
    assert backup_store.host_troubles(state.connection, NOW) == {"merle": (True, "")}


def test_a_run_that_began_in_the_future_hides_no_run_of_now(state: State, spool: Spool) -> None:
    spool.write("run_started", NOW + YEARS, hosts=["merle"])
    spool.write("run_started", NOW - HOUR, hosts=["merle"])
    FactReader(state, spool).take(NOW)
    assert backup_store.host_starts(state.connection, NOW) == {"merle": NOW - HOUR}


def test_an_app_that_was_first_seen_in_the_future_is_late_one_day(state: State, spool: Spool) -> None:
    evaluator = Evaluator(state, FactReader(state, spool), lambda _connection, _tidings, _now: None)
    seen = Observation(colocation(App("blog", "blog", "Blog", install_dir="/var/www/blog")))
    for now in (NOW + YEARS, NOW, NOW + timedelta(days=9)):
        evaluator.evaluate(config(), seen, [], now)
    rules = [incident.rule for incident in incident_store.open_incidents(state.connection).values()]
    assert rules == ["backup_late"]


def test_a_silence_of_years_was_asked_for_under_a_wrong_clock() -> None:
    incident = Incident("key", "app_down", (), Phase.FIRING, Severity.CRITICAL, {}, NOW)
    assert replace(incident, silenced_until=NOW + timedelta(days=30)).silenced(NOW)
    assert not replace(incident, silenced_until=NOW + YEARS).silenced(NOW)
