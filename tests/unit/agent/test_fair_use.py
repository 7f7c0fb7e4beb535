"""Who waited for the processor because of whom: parts, use, and nobody blamed while nobody waits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.core import CounterMetricFamily

from agent.fair_use import SPANS, FairUse, fair_use
from agent.readings import Readings, ReadingWindow

SHARES = {"velo": 1.0, "chorale": 3.0}


def watched(cores: dict[str, float], waits: dict[str, float], *, seconds: int = 600) -> Readings:
    window, readings = ReadingWindow(SPANS), Readings()
    for clock in range(0, seconds + 1, 20):
        cpu = CounterMetricFamily("coloc_project_cpu_seconds", "x", labels=["project", "mode"])
        for project, used in cores.items():
            for mode in ("user", "system"):
                cpu.add_metric([project, mode], used * clock / 2)
        waiting = CounterMetricFamily("coloc_project_pressure_waiting_seconds", "x", labels=["project", "resource"])
        for project, waited in waits.items():
            waiting.add_metric([project, "cpu"], waited * clock)
            waiting.add_metric([project, "io"], 9.0 * clock)
        readings = window.update([cpu, waiting], float(clock))
    return readings


def test_who_waits_is_shown_those_that_used_more_than_their_part() -> None:
    found = fair_use(watched({"velo": 1.5, "chorale": 0.5}, {"velo": 0.01, "chorale": 0.4}), SHARES)
    assert [(each.project, each.because_of) for each in found] == [("velo", ()), ("chorale", ("velo",))]
    assert (found[1].part, found[1].used, found[1].waited) == pytest.approx((0.75, 0.25, 0.4))


def test_nobody_is_blamed_while_nobody_waits_or_each_keeps_to_its_part() -> None:
    for cores, waits in (
        ({"velo": 1.5, "chorale": 0.5}, {"velo": 0.0, "chorale": 0.04}),
        ({"velo": 0.5, "chorale": 1.5}, {"velo": 0.5, "chorale": 0.5}),
    ):
        assert [each.because_of for each in fair_use(watched(cores, waits), SHARES)] == [(), ()]


def test_without_slices_or_before_it_was_watched_long_enough_there_is_nothing_to_show() -> None:
    assert fair_use(watched({"velo": 1.0}, {}), SHARES) == ()
    assert fair_use(watched({"velo": 1.0}, {"velo": 0.5}, seconds=60), SHARES) == ()
    assert fair_use(watched({}, {"velo": 0.5}), SHARES) == ()
    assert fair_use(Readings(), {}) == ()


def test_a_project_that_is_gone_or_not_in_a_slice_yet_is_left_out() -> None:
    found = fair_use(watched({"velo": 1.0, "gone": 5.0}, {"velo": 0.5, "gone": 0.5}), SHARES)
    assert [replace(each, waited=round(each.waited, 6)) for each in found] == [FairUse("velo", 0.25, 1.0, 0.5)]
