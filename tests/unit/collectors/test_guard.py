"""What the guard keeps and says when a collector works, breaks, recovers or hangs."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.core import GaugeMetricFamily

from collectors.guard import Guard, Standing
from coloc.errors import ColocError
from tests.fakes.collectors import FakeCollector
from tests.fakes.colocations import colocation, figures
from tests.fakes.waiting import until

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """Both clocks, turned by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def guarded(clock: Clock, collector: FakeCollector) -> Guard:
    return Guard(collector, clock=clock, now=clock.now)


def test_before_the_first_look_nothing_is_claimed(clock: Clock) -> None:
    standing = guarded(clock, FakeCollector("x")).standing()
    assert standing == Standing("x", 0.02)


def test_a_failure_keeps_the_last_good_figures_with_their_time(clock: Clock) -> None:
    collector = FakeCollector("x")
    guard = guarded(clock, collector)
    guard.look(colocation())
    collector.error = ValueError("strange")
    clock.seconds += 5
    guard.look(colocation())
    clock.seconds += 5
    guard.look(colocation())
    standing = guard.standing()
    assert (standing.success, standing.error, standing.last_success_at) == (False, "strange", START)
    assert standing.failing_since == START + timedelta(seconds=5)
    assert figures(standing.families) == {"coloc_fake_x": 1}
    assert standing.piece is not None


def test_a_collector_recovers(clock: Clock) -> None:
    collector = FakeCollector("x")
    guard = guarded(clock, collector)
    collector.error = OSError("gone")
    guard.look(colocation())
    collector.error = None
    guard.look(colocation())
    standing = guard.standing()
    assert (standing.success, standing.error, standing.failing_since) == (True, "", None)


def test_a_failure_is_logged_once_with_its_traceback_only_when_it_is_a_bug(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    collector = FakeCollector("x")
    guard = guarded(clock, collector)
    for error in (ColocError("mariadb is away"), ColocError("mariadb is away"), None, ValueError("bug")):
        collector.error = error
        guard.look(colocation())
    with caplog.at_level(logging.WARNING):
        assert [bool(record.exc_info) for record in caplog.records] == [False, True]


def test_families_that_cannot_be_encoded_are_a_failure_of_that_collector(clock: Clock) -> None:
    class Odd(FakeCollector):
        def collect(self, *_: object) -> list[GaugeMetricFamily]:  # type: ignore[override]
            family = GaugeMetricFamily("coloc_odd", "Odd.", labels=["x"])
            family.add_metric(["\udcff"], 1)
            return [family]

    guard = guarded(clock, Odd("odd"))
    guard.look(colocation())
    assert guard.standing().success is False


def test_a_late_look_counts_as_failing_and_is_good_again_when_it_ends(clock: Clock) -> None:
    collector = FakeCollector("x", deadline_seconds=5)
    guard = guarded(clock, collector)
    guard.look(colocation())
    collector.go_on.clear()
    looking = threading.Thread(target=guard.look, args=(colocation(),))
    looking.start()
    until(lambda: collector.looks == 2)
    clock.seconds += 5
    assert guard.standing().success is True
    clock.seconds += 2
    standing = guard.standing()
    assert (standing.success, standing.error, standing.duration_seconds) == (False, "no answer for 7 s", 7)
    assert (standing.failing_since, standing.last_success_at) == (START, START)
    assert figures(standing.families) == {"coloc_fake_x": 1}
    collector.go_on.set()
    looking.join()
    assert guard.standing().success is True
