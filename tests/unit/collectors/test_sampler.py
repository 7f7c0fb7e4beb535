"""Collectors side by side: one that breaks or hangs costs only its own series."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client.core import GaugeMetricFamily

from collectors.guard import Standing
from collectors.sampler import Sampler, health_families
from tests.fakes.collectors import FakeCollector
from tests.fakes.colocations import colocation, figures
from tests.fakes.waiting import until


class Started:
    """A sampler of two collectors."""

    def __init__(self) -> None:
        self.good, self.bad = FakeCollector("good"), FakeCollector("bad", deadline_seconds=0.1)
        self.sampler = Sampler([self.bad, self.good], colocation, render_seconds=0.05)

    def text(self) -> str:
        exposition = self.sampler.exposition()
        return exposition.text.decode() if exposition else ""


@pytest.fixture
def started() -> Iterator[Started]:
    found = Started()
    found.sampler.start()
    yield found
    found.bad.go_on.set()
    found.sampler.stop()


def test_a_hanging_collector_keeps_its_figures_and_holds_nobody_up(started: Started) -> None:
    until(lambda: "coloc_fake_bad 3" in started.text())
    started.bad.go_on.clear()
    until(lambda: 'coloc_collector_success{collector="bad"} 0.0' in started.text())
    looks = started.good.looks
    until(lambda: started.good.looks > looks + 5)
    text = started.text()
    assert "coloc_fake_bad " in text
    assert 'coloc_collector_success{collector="good"} 1.0' in text
    assert 'coloc_collector_last_success_timestamp_seconds{collector="bad"}' in text
    assert started.bad.most_at_once == 1


def test_the_age_of_figures_that_are_kept_is_the_time_of_the_look_that_found_them(started: Started) -> None:
    until(lambda: "coloc_fake_bad 3" in started.text())
    started.bad.go_on.clear()
    until(lambda: 'coloc_collector_success{collector="bad"} 0.0' in started.text())
    kept = lines_of(started.text(), "bad")
    looks = started.good.looks
    until(lambda: started.good.looks > looks + 5)
    assert kept
    assert lines_of(started.text(), "bad") == kept


def lines_of(text: str, collector: str) -> list[str]:
    """What a collector found, and when."""
    starts = (f"coloc_fake_{collector} ", f'coloc_collector_last_success_timestamp_seconds{{collector="{collector}"}}')
    return [line for line in text.splitlines() if line.startswith(starts)]


def test_each_collector_keeps_its_own_rhythm() -> None:
    quick, slow = FakeCollector("quick"), FakeCollector("slow", interval_seconds=3600)
    sampler = Sampler([quick, slow], colocation)
    sampler.start()
    until(lambda: quick.looks > 20, seconds=60)
    sampler.stop()
    assert slow.looks == 1


def test_a_broken_collector_recovers(started: Started) -> None:
    started.bad.error = RuntimeError("no")
    until(lambda: 'coloc_collector_success{collector="bad"} 0.0' in started.text())
    started.bad.error = None
    until(lambda: 'coloc_collector_success{collector="bad"} 1.0' in started.text())


def test_the_exposition_s_age_is_known(started: Started) -> None:
    until(lambda: started.sampler.moved_at is not None)
    first = started.sampler.moved_at
    until(lambda: started.sampler.moved_at != first)


def test_given_families_replace_those_of_the_same_name(started: Started) -> None:
    started.sampler.put("facts", [GaugeMetricFamily("coloc_fact", "A fact.", value=1)])
    until(lambda: "coloc_fact 1.0" in started.text())
    started.sampler.put("facts", [GaugeMetricFamily("coloc_fact", "A fact.", value=2)])
    until(lambda: "coloc_fact 2.0" in started.text())
    assert started.text().count("\ncoloc_fact ") == 1


def test_a_wake_comes_before_the_interval() -> None:
    slow = FakeCollector("slow", interval_seconds=3600)
    sampler = Sampler([slow], colocation)
    sampler.start()
    until(lambda: slow.looks == 1)
    sampler.wake()
    until(lambda: slow.looks == 2)
    sampler.stop()


def test_who_asks_for_a_look_is_called_after_one_that_began_later_and_once() -> None:
    slow, other = FakeCollector("slow", interval_seconds=3600), FakeCollector("other", interval_seconds=3600)
    sampler = Sampler([slow, other], colocation)
    sampler.start()
    until(lambda: (slow.looks, other.looks) == (1, 1))
    seen: list[int] = []
    sampler.look_soon("slow", then=lambda: seen.append(slow.looks))
    until(lambda: seen)
    sampler.wake()
    until(lambda: slow.looks == 3)
    sampler.stop()
    assert seen == [2]


def test_a_stop_is_quick_with_a_thread_that_hangs_and_a_start_gives_it_no_second_one() -> None:
    started = Started()
    started.bad.go_on.clear()
    started.sampler.start()
    until(lambda: started.bad.looks == 1 and started.good.looks)
    before = time.monotonic()
    started.sampler.stop(timeout=0.3)
    assert time.monotonic() - before < 1
    assert (started.good.closed, started.bad.closed) == (1, 0)
    looks = started.good.looks
    started.sampler.start()
    until(lambda: started.good.looks > looks)
    assert sum(thread.name == "coloc-bad" for thread in threading.enumerate()) == 1
    started.bad.go_on.set()
    started.sampler.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("coloc-")]


def test_one_look_of_everybody_waits_no_longer_than_the_deadline() -> None:
    started = Started()
    started.good.deadline_seconds = 0.1
    started.bad.go_on.clear()
    text = started.sampler.look_once().text.decode()
    assert "coloc_fake_good 1.0" in text
    assert "coloc_fake_bad" not in text
    started.bad.go_on.set()


def test_a_collector_that_was_never_seen_has_no_health() -> None:
    assert figures(health_families([Standing("new")])) == {}
