"""The slow wake-ups go on after the wall clock was set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from agent.rhythm import Clocks, Rhythm


@dataclass
class Hands:
    """Two clocks that a test turns."""

    wall: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))
    running: float = 1000.0

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.wall, lambda: self.running)

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.running += seconds


def planned(rhythm: Rhythm) -> datetime:
    [job] = rhythm.scheduler.jobs
    assert job.next_run is not None
    return job.next_run


def test_what_is_due_is_called_and_planned_again() -> None:
    hands, called = Hands(), [0]
    rhythm = Rhythm(hands.clocks(), lambda: called.append(1))
    rhythm.beat()
    assert called == [0]
    rhythm.scheduler.jobs[0].next_run = datetime.now() - timedelta(seconds=1)  # noqa: DTZ005 - schedule's own time
    rhythm.beat()
    assert called == [0, 1]
    assert planned(rhythm) > datetime.now()  # noqa: DTZ005


@pytest.mark.parametrize("jump", [timedelta(days=-2), timedelta(days=400)])
def test_after_a_jump_of_the_clock_the_next_call_is_within_the_hour(jump: timedelta) -> None:
    hands = Hands()
    rhythm = Rhythm(hands.clocks(), lambda: None)
    rhythm.scheduler.jobs[0].next_run = datetime.now() + timedelta(days=2)  # noqa: DTZ005 - what a set back clock leaves
    hands.wall += jump
    rhythm.beat()
    assert planned(rhythm) <= datetime.now() + timedelta(hours=1)  # noqa: DTZ005


def test_time_that_passes_is_no_jump() -> None:
    hands = Hands()
    rhythm = Rhythm(hands.clocks(), lambda: None)
    far = datetime.now() + timedelta(hours=3)  # noqa: DTZ005
    rhythm.scheduler.jobs[0].next_run = far
    hands.pass_by(86400)
    rhythm.beat()
    assert planned(rhythm) == far
