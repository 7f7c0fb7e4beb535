"""CPU of PostgreSQL's processes: who is charged, processes that come, go and are replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.backends import Backends
from collectors.procfs import ProcFiles
from coloc.databases.answers import Answer
from tests.fakes.proc import FakeProc


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    fake = FakeProc(tmp_path)
    fake.process(69, name="postgres")
    fake.process(70, parent=69, name="postgres")
    return fake


def backend(proc: FakeProc, pid: int, used: int, *, parent: int = 69, name: str = "postgres", start: int = 100) -> None:
    proc.process(pid, parent=parent, name=name, used=(used, 0), start=start)


def answer(checkpointer: int = 70, **backends: int) -> Answer:
    return Answer({}, backends={pid: database for database, pid in backends.items()}, checkpointer=checkpointer)


def followed(proc: FakeProc) -> Backends:
    return Backends(ProcFiles(proc.root), ticks_per_second=100)


def test_only_what_is_used_after_the_first_look_counts(proc: FakeProc) -> None:
    backends = followed(proc)
    backend(proc, 80, 500)
    assert backends.spent(answer(a=80)) == {}
    backend(proc, 80, 650)
    backend(proc, 81, 40)
    assert backends.spent(answer(a=80, b=81)) == {"a": 1.5, "b": 0.4}


def test_a_process_that_is_gone_costs_nothing_and_its_number_may_come_back(proc: FakeProc) -> None:
    backends = followed(proc)
    backend(proc, 80, 500)
    backends.spent(answer(a=80))
    proc.end(80)
    assert backends.spent(answer(a=80)) == {}
    backend(proc, 80, 30, start=999)
    assert backends.spent(answer(b=80)) == {"b": 0.3}


@pytest.mark.parametrize(("parent", "name"), [(1, "postgres"), (69, "sleep")])
def test_a_process_that_is_not_the_server_s_is_not_read(proc: FakeProc, parent: int, name: str) -> None:
    backends = followed(proc)
    backends.spent(answer())
    backend(proc, 80, 500, parent=parent, name=name)
    assert backends.spent(answer(a=80)) == {}


def test_a_server_whose_processes_are_elsewhere_has_no_figure(proc: FakeProc) -> None:
    assert followed(proc).spent(answer(checkpointer=1)) is None
    assert followed(proc).spent(answer(checkpointer=4_000_000)) is None


def test_what_cannot_be_read_for_once_is_not_counted_again(proc: FakeProc) -> None:
    files = ShyFiles(proc.root)
    backends = Backends(files, ticks_per_second=100)
    backend(proc, 80, 500)
    backends.spent(answer(a=80))
    files.shy = True
    assert backends.spent(answer(a=80)) == {}
    files.shy = False
    backend(proc, 80, 550)
    assert backends.spent(answer(a=80)) == {"a": 0.5}


class ShyFiles(ProcFiles):
    """Runs out of descriptors for one process when it is told to."""

    shy = False

    def read(self, pid: int, name: str) -> bytes:
        if self.shy and pid == 80:
            raise OSError(24, "Too many open files")
        return super().read(pid, name)
