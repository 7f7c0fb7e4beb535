"""What the page remembers, from a real state.db: facts by day of the colocation's zone, days of use, a lost file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.backup_store import FactReader
from agent.charter import day_store
from agent.charter.day_book import DayOfApp
from agent.page.remembered import StateMemory
from coloc.facts import Spool
from coloc.state import open_state
from coloc.times import now_utc

PARIS = ZoneInfo("Europe/Paris")


def test_facts_become_days_and_what_was_used_comes_from_the_day_book(tmp_path: Path) -> None:
    state, spool = open_state(tmp_path / "state.db"), Spool(tmp_path / "facts")
    today = now_utc().astimezone(PARIS).date()
    night = datetime(today.year, today.month, today.day, 0, 30, tzinfo=PARIS) - timedelta(days=2)  # 22:30 or 23:30 UTC
    for app, host, ok in (("blog", "merle", True), ("wiki", "merle", False), ("blog", "alouette", True)):
        spool.write("backup", night, app=app, host=host, ok=ok, archive="a", bytes=1, failure="")
    spool.write("backup", night - timedelta(days=40), app="blog", host="merle", ok=True, archive="a", bytes=1)
    spool.write("backup", night, app=7, host="merle", ok=True)
    FactReader(state, spool).take()
    with state.transaction() as connection:
        for app, shares in (("blog", {"velo": 1.0}), ("wiki", {"velo": 0.5, 'l"été': 0.5}), ("chat", {"chorale": 1.0})):
            day_store.add(connection, [DayOfApp(today.isoformat(), app, shares, 60.0, {"cpu_seconds": 3.0})])
    memory = StateMemory(state.path, PARIS)
    saved = [(each.day, each.host, each.saved, each.failed) for each in memory.saved_days() or ()]
    day = today - timedelta(days=2)
    assert saved == [(day, "alouette", 1, ()), (day, "merle", 1, ("wiki",))]
    assert [each.app for each in memory.days(project="velo") or ()] == ["blog", "wiki"]
    assert [each.app for each in memory.days(project='l"été') or ()] == ["wiki"]
    assert [(each.app, each.figures) for each in memory.days(app="chat") or ()] == [("chat", {"cpu_seconds": 3.0})]
    assert memory.days(app="velo") == []
    state.close()


def test_the_calendar_is_read_again_after_a_while_and_not_at_each_request(tmp_path: Path) -> None:
    state, spool = open_state(tmp_path / "state.db"), Spool(tmp_path / "facts")
    kept, fresh = (StateMemory(state.path, PARIS, keep_seconds=seconds) for seconds in (600.0, 0.0))
    assert (kept.saved_days(), fresh.saved_days()) == ([], [])
    spool.write("backup", now_utc(), app="blog", host="merle", ok=True, archive="a", bytes=1)
    FactReader(state, spool).take()
    assert (len(kept.saved_days() or ()), len(fresh.saved_days() or ())) == (0, 1)
    state.close()


def test_a_state_that_cannot_be_read_is_none_and_no_error(tmp_path: Path) -> None:
    memory = StateMemory(tmp_path / "gone" / "state.db", PARIS)
    assert (memory.saved_days(), memory.days(app="blog")) == (None, None)
    (tmp_path / "bad.db").write_bytes(b"no database at all" * 1000)
    assert StateMemory(tmp_path / "bad.db", PARIS).saved_days() is None
