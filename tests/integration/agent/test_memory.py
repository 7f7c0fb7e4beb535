"""What the agent remembers: incidents, facts and backups through a real state.db that is closed and opened again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent import backup_store, incident_store, quota_store
from agent.backup_store import FactReader
from agent.incidents import Change, Incident, Phase, Severity, Step
from agent.quotas import QuotaStep, Standing
from coloc.facts import Spool
from coloc.state import State, open_state

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Memory:
    """A state.db and a spool that can be closed and opened again."""

    def __init__(self, folder: Path) -> None:
        self.path, self.folder = folder / "state.db", folder / "facts"
        self.spool = Spool(self.folder)
        self.state: State = open_state(self.path)
        self.reader = FactReader(self.state, self.spool)

    def reopen(self) -> None:
        self.state.close()
        self.state = open_state(self.path)
        self.reader = FactReader(self.state, self.spool)

    def backup(self, hours: float, **values: Any) -> None:
        usual: dict[str, Any] = {"app": "blog", "host": "merle", "ok": True}
        self.spool.write("backup", NOW + hours * HOUR, **(usual | values))

    def take(self) -> int:
        return len(self.reader.take(NOW + 100 * HOUR))

    def standing(self) -> backup_store.BackupStanding:
        (standing,) = backup_store.standings(self.state.connection)
        return standing


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path)
    yield memory
    memory.state.close()


def test_each_fact_is_taken_once_also_after_a_restart(memory: Memory) -> None:
    memory.backup(0)
    memory.backup(1)
    assert [memory.take(), memory.take()] == [2, 0]
    memory.reopen()
    assert memory.take() == 0
    memory.backup(2)
    assert memory.take() == 1
    assert memory.state.connection.execute("SELECT count(*) FROM facts").fetchone()[0] == 3


def test_a_fact_that_was_stored_but_not_known_is_harmless(memory: Memory) -> None:
    memory.backup(0)
    stale = FactReader(memory.state, memory.spool)
    assert memory.take() == 1
    assert stale.take() == []


def test_the_last_word_on_a_backup_does_not_depend_on_the_order_of_reading(memory: Memory, tmp_path: Path) -> None:
    memory.backup(2, ok=False, failure="borg exited with 2")
    memory.backup(1, archive="blog-1", bytes=11)
    memory.take()
    memory.backup(0, archive="blog-0", bytes=10)
    memory.take()
    standing = memory.standing()
    assert (standing.last_try_at, standing.last_try_ok, standing.failure) == (
        NOW + 2 * HOUR,
        False,
        "borg exited with 2",
    )
    assert (standing.last_success_at, standing.archive, standing.archive_bytes) == (NOW + HOUR, "blog-1", 11)


def test_a_backup_by_a_clock_that_was_years_ahead_does_not_hide_the_next(memory: Memory) -> None:
    memory.backup(24 * 3650, archive="wrong")
    memory.spool.write("proof", NOW + 24 * 3650 * HOUR, app="blog", host="merle")
    memory.take()
    memory.backup(1, archive="right")
    memory.spool.write("proof", NOW + 2 * HOUR, app="blog", host="merle")
    memory.take()
    standing = memory.standing()
    assert (standing.archive, standing.last_success_at) == ("right", NOW + HOUR)
    assert standing.last_proven_at == NOW + 2 * HOUR


def test_a_proof_counts_unless_it_failed(memory: Memory) -> None:
    memory.backup(0)
    memory.spool.write("proof", NOW + HOUR, app="blog", host="merle", ok=True)
    memory.spool.write("proof", NOW + 2 * HOUR, app="blog", host="merle", ok=False)
    memory.take()
    assert memory.standing().last_proven_at == NOW + HOUR


@pytest.mark.parametrize(
    "values",
    [
        {"app": 3},
        {"host": None},
        {"app": ["blog"]},
        {"app": ""},
        {"ok": "yes"},
        {"ok": 1},
        {"bytes": "many"},
        {"bytes": -1},
        {"bytes": True},
        {"bytes": 1.5},
        {"archive": 7, "failure": ["x"]},
        {"failure": "x" * 10_000, "ok": False},
        {"app": "'; DROP TABLE backups; --"},
    ],
)
def test_hostile_values_break_no_table_and_stop_no_fact(memory: Memory, values: dict[str, Any]) -> None:
    memory.backup(0, **values)
    memory.backup(1, app="other")
    assert memory.take() == 2
    by_app = {standing.app: standing for standing in backup_store.standings(memory.state.connection)}
    assert by_app.pop("other").last_try_ok
    for standing in by_app.values():
        assert standing.archive_bytes is None
        assert len(standing.failure) <= 500


def test_files_that_are_no_facts_are_counted_once_and_waited_for_never(memory: Memory) -> None:
    memory.backup(0)
    name = f"20200101T000000000000Z-{'a' * 32}.json"
    os.mkfifo(memory.folder / name)
    (memory.folder / "notes.json").write_text("{}")
    (memory.folder / "link.json").symlink_to("/etc/passwd")
    began = time.monotonic()
    assert memory.take() == 1
    memory.take()
    assert memory.reader.bad_files == 3
    assert time.monotonic() - began < 2


def test_facts_are_taken_all_in_one_transaction(memory: Memory) -> None:
    memory.backup(0)
    memory.backup(1)
    memory.state.connection.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON facts WHEN (SELECT count(*) FROM facts) = 1 "
        "BEGIN SELECT raise(ABORT, 'stop'); END"
    )
    with pytest.raises(Exception, match="stop"):
        memory.take()
    assert backup_store.standings(memory.state.connection) == []
    memory.state.connection.execute("DROP TRIGGER broken")
    assert memory.take() == 2, "what was undone is taken the next time"


def test_the_spool_may_vanish_and_come_back(memory: Memory) -> None:
    memory.backup(0)
    memory.take()
    shutil.rmtree(memory.folder)
    assert memory.take() == 0
    memory.backup(1)
    assert memory.take() == 1


def test_hosts_and_runs_are_known_by_their_last_fact(memory: Memory) -> None:
    assert backup_store.last_run(memory.state.connection, "run_started") is None
    for hours, reachable in ((2, False), (1, True)):
        memory.spool.write("run_started", NOW + hours * HOUR)
        memory.spool.write("host", NOW + hours * HOUR, host="merle", reachable=reachable, why="timeout")
    memory.spool.write("host", NOW, host=["x"])
    memory.take()
    assert backup_store.last_run(memory.state.connection, "run_started") == NOW + 2 * HOUR
    assert backup_store.host_troubles(memory.state.connection, NOW + 9 * HOUR) == {"merle": (False, "timeout")}
    memory.backup(3)
    memory.take()
    backup_store.forget(memory.state.connection, [("blog", "merle")])
    assert backup_store.standings(memory.state.connection) == []


INCIDENT = Incident(
    "app_down{app='été'}",
    "app_down",
    (("app", "été"), ("project", "a,b=c")),
    Phase.FIRING,
    Severity.CRITICAL,
    {"label": "Blog du vélo", "hostile": "nom \udce9 </b> \0"},
    NOW,
    fired_at=NOW + HOUR,
)


def save(memory: Memory, incident: Incident, change: Change | None) -> Incident:
    with memory.state.transaction() as connection:
        return incident_store.save(connection, Step(incident, change), NOW)


def test_an_incident_comes_back_as_it_was_after_a_restart(memory: Memory) -> None:
    saved = save(memory, INCIDENT, Change.FIRED)
    marked = replace(saved, acked_by="léa", silenced_until=NOW + 2 * HOUR, clearing_since=NOW + HOUR, told=2)
    marked = replace(marked, phase=Phase.CLEARING)
    with memory.state.transaction() as connection:
        incident_store.update(connection, marked)
    memory.reopen()
    assert incident_store.open_incidents(memory.state.connection) == {INCIDENT.key: marked}
    assert incident_store.get(memory.state.connection, marked.id) == marked


def test_one_incident_is_open_per_key_and_a_new_one_may_follow(memory: Memory) -> None:
    first = save(memory, INCIDENT, Change.FIRED)
    with pytest.raises(Exception, match="UNIQUE"):
        save(memory, INCIDENT, Change.FIRED)
    save(memory, replace(first, phase=Phase.RESOLVED, resolved_at=NOW), Change.RESOLVED)
    second = save(memory, INCIDENT, Change.FIRED)
    assert second.id != first.id
    assert [incident.id for incident in incident_store.latest(memory.state.connection, 9)] == [second.id, first.id]


def test_what_vanished_leaves_no_trace_and_what_fired_leaves_its_history(memory: Memory) -> None:
    pending = save(memory, replace(INCIDENT, phase=Phase.PENDING, fired_at=None), Change.BEGAN)
    save(memory, pending, Change.VANISHED)
    assert incident_store.get(memory.state.connection, pending.id) is None
    fired = save(memory, INCIDENT, Change.FIRED)
    save(memory, fired, Change.UPDATED)
    save(memory, fired, None)
    save(memory, replace(fired, phase=Phase.RESOLVED, resolved_at=NOW), Change.RESOLVED)
    words = [word for _, word, _ in incident_store.history(memory.state.connection, fired.id)]
    assert words == ["fired", "resolved"]


@pytest.mark.parametrize("number", [0, -1, 99, 2**63, 10**30])
def test_a_number_that_no_incident_has_is_nobody(memory: Memory, number: int) -> None:
    assert incident_store.get(memory.state.connection, number) is None


def test_quota_steps_survive_a_restart_and_are_forgotten_with_their_project(memory: Memory) -> None:
    standing = Standing("chorale", "disk", QuotaStep.THROTTLE, NOW, 12.5, would_have_acted=3)
    with memory.state.transaction() as connection:
        quota_store.save(connection, [replace(standing, step=QuotaStep.WARN), standing])
        quota_store.save(connection, [replace(standing, project="gone")])
    memory.reopen()
    with memory.state.transaction() as connection:
        quota_store.keep_only(connection, [("chorale", "", "disk")])
    assert quota_store.standings(memory.state.connection) == {
        ("chorale", "", "disk"): replace(standing, used=None, watched_since=NOW)
    }


def test_a_spool_that_settled_is_read_again_only_when_a_file_comes(memory: Memory) -> None:
    memory.backup(0)
    os.utime(memory.folder, (1, 1))
    assert memory.take() == 1
    hidden = memory.folder / "hidden"
    memory.backup(1)
    newest = max(memory.folder.glob("*.json"))
    newest.rename(hidden)
    os.utime(memory.folder, (1, 1))
    assert memory.take() == 0
    hidden.rename(newest)
    assert memory.take() == 1, "the folder changed"
