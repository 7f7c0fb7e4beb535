"""An errand: it outlives its own faults, says them without their words, and ends when it is asked to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agent.errand import Errand
from tests.fakes.waiting import until


class Asked:
    """An errand that answers what the test lays out, and waits at the door for it."""

    def __init__(self) -> None:
        self.answers: list[str | Exception] = []
        self.settled: list[str] = []
        self.runs, self.door = 0, threading.Event()
        self.errand = Errand("test", self.ask, self.settled.append)

    def ask(self) -> str:
        self.runs += 1
        self.door.wait(30)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    asked.errand.start()
    yield asked
    asked.door.set()
    asked.errand.stop()


def test_a_fault_is_a_failure_without_its_words_and_not_the_end(asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    asked.door.set()
    asked.answers += [RuntimeError("https://s3cret"), ""]
    for number in (1, 2):
        asked.errand.run_soon()
        until(lambda number=number: len(asked.settled) == number, what="a run")  # type: ignore[misc]
    assert asked.settled == ["a fault of the agent (RuntimeError)", ""]
    assert "s3cret" not in caplog.text + repr([record.__dict__ for record in caplog.records])


def test_what_becomes_due_meanwhile_is_one_more_run(asked: Asked) -> None:
    asked.answers += ["", "", ""]
    asked.errand.run_soon()
    until(lambda: asked.runs == 1, what="the first run")
    asked.errand.run_soon()
    asked.errand.run_soon()
    asked.door.set()
    until(lambda: len(asked.settled) == 2, what="the second run")
    asked.errand.stop()
    assert asked.runs == 2


def test_it_begins_again_after_a_stop(asked: Asked) -> None:
    asked.door.set()
    asked.answers += [""]
    asked.errand.stop()
    asked.errand.run_soon()
    assert asked.runs == 0
    asked.errand.start()
    asked.errand.run_soon()
    until(lambda: asked.settled == [""], what="a run")
