"""The last word on drills and checks: a part never moves the date of the whole, and an old fact changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.backup_store import FactReader
from agent.drill_store import checks, drills
from coloc.facts import Spool
from coloc.state import State, open_state

NOW = datetime(2026, 11, 25, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = open_state(tmp_path / "state.db")
    yield opened
    opened.close()


def test_a_part_is_remembered_beside_the_whole(tmp_path: Path, state: State) -> None:
    spool = Spool(tmp_path / "facts")
    pair = {"app": "blog", "host": "merle"}
    spool.write("drill", NOW, **pair, ok=True, whole=True, ratio=1.0, seconds=9.5, failure="")
    spool.write("drill", NOW + DAY, **pair, ok=True, whole=False, ratio=0.12, seconds=3, failure="")
    FactReader(state, spool).take(NOW + DAY)
    (drill,) = drills(state.connection)
    assert (drill.whole_at, drill.ratio, drill.last_try_ok, drill.seconds) == (NOW, 0.12, True, 3.0)
    spool.write("drill", NOW + 2 * DAY, **pair, ok=False, seconds=1, failure="it differs")
    FactReader(state, spool).take(NOW + 2 * DAY)
    (drill,) = drills(state.connection)
    assert (drill.whole_at, drill.ratio, drill.last_try_ok, drill.failure) == (NOW, 0.12, False, "it differs")
    spool.write("drill", NOW - DAY, **pair, ok=True, whole=True, ratio=1.0, seconds=1, failure="")
    FactReader(state, spool).take(NOW + 2 * DAY)
    assert drills(state.connection) == [drill]


def test_nonsense_of_a_fact_is_bounded(tmp_path: Path, state: State) -> None:
    spool = Spool(tmp_path / "facts")
    spool.write("drill", NOW, app="blog", host="merle", ok=True, whole="yes", ratio=7.0, seconds=-1, failure="x" * 999)
    spool.write("drill", NOW, app="blog", ok=True, whole=True)
    spool.write("check", NOW, host="merle", ok=True, complete=1, failure="")
    FactReader(state, spool).take(NOW)
    (drill,) = drills(state.connection)
    assert (drill.whole_at, drill.ratio, drill.seconds, len(drill.failure)) == (None, 1.0, 0.0, 500)
    (check,) = checks(state.connection)
    assert (check.ok, check.complete_at) == (True, None)
