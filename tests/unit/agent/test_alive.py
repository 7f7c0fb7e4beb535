"""The watchdog is fed only while every part moves; a part that never moved at all counts as stuck one day too."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agent.house import all_moved
from collectors.sampler import Sampler
from tests.fakes.collectors import FakeCollector
from tests.fakes.colocations import colocation
from tests.fakes.waiting import until


@dataclass
class Part:
    moved_at: float | None


@pytest.mark.parametrize(
    ("moments", "alive"),
    [
        ((100.0, 100.0), True),
        ((100.0, 50.0), False),
        ((50.0, 100.0), False),
        ((None, 100.0), False),
        ((0.0, 100.0), False),
    ],
)
def test_one_stuck_part_is_enough(moments: tuple[float | None, float], *, alive: bool) -> None:
    assert all_moved([Part(moment) for moment in moments], 0.0, 101.0) is alive


def test_a_part_has_time_to_begin() -> None:
    assert all_moved([Part(None)], 100.0, 110.0)


def test_a_sampler_whose_rendering_ended_is_stuck() -> None:
    clock = [1000.0]
    sampler = Sampler([FakeCollector("good")], colocation, render_seconds=0.05, clock=lambda: clock[0])
    sampler.start()
    until(lambda: all_moved([sampler], 1000.0, clock[0]) and sampler.moved_at is not None, seconds=60)
    sampler.stop()
    until(lambda: not sampler._is_running("render"), seconds=60)
    clock[0] += 50
    assert not all_moved([sampler], 1000.0, clock[0])
