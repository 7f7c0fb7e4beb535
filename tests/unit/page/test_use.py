"""Use over time: means by share, gaps where nothing was measured, and the curve said in words."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from agent.charter.day_book import DayOfApp
from agent.page.remembered import Told
from agent.page.use import agreed, daily
from agent.status import QuotaStatus
from tests.fakes.pages import NOW, render, status

DAY = date(2026, 11, 20)


def used(
    app: str, seconds: float = 100.0, *, ago: int = 0, shares: dict[str, float] | None = None, **figures: float
) -> DayOfApp:
    return DayOfApp((DAY - timedelta(days=ago)).isoformat(), app, shares or {"blog": 1.0}, seconds, figures)


def test_a_day_is_the_mean_over_what_was_watched_by_share() -> None:
    days = [used("a", cpu_seconds=50.0), used("b", 50.0, shares={"blog": 0.25, "other": 0.75}, cpu_seconds=100.0)]
    assert daily(days, "cpu_seconds", "blog") == {DAY: 0.5 + 0.25 * 2.0}
    assert daily(days, "cpu_seconds", "other") == {DAY: 1.5}
    assert daily(days, "cpu_seconds", "nobody") == {}
    assert daily(days[:1], "cpu_seconds") == {DAY: 0.5}


def test_a_day_on_which_one_app_was_not_measured_is_a_gap() -> None:
    days = [used("a", cpu_seconds=50.0), used("b"), used("a", ago=1, cpu_seconds=10.0), used("b", 0.0, ago=1)]
    assert daily(days, "cpu_seconds", "blog") == {DAY - timedelta(days=1): 0.1}
    assert daily([used("a", cpu_seconds=float("nan"))], "cpu_seconds") == {}


def test_a_limit_of_two_resources_is_drawn_only_when_both_were_agreed() -> None:
    disk = QuotaStatus("disk", 1.0, 8.0, 10.0, "fine", NOW, "", 0)
    assert agreed([disk], ("disk", "database")) is None
    assert agreed([disk, replace(disk, resource="database", hard=2.0)], ("disk", "database")) == 12.0
    assert agreed([], ("cpu",)) is None


def shown(days: list[DayOfApp], *, hard: float = 1.0, language: str = "en") -> str:
    project = replace(status().projects[0], quotas=(QuotaStatus("cpu", 0.1, 0.8, hard, "fine", NOW, "", 0),))
    text = render(replace(status(), projects=(project,)), language, "/projects/blog", Told((), days))
    return text[text.index("<figure>") :].split("</figure>")[0]


def test_the_curve_has_a_line_for_each_run_of_days_and_says_the_same_in_words() -> None:
    days = [used("blog", ago=ago, cpu_seconds=10.0 + ago) for ago in (0, 1, 2, 6, 7)]
    text = shown(days)
    assert text.count("<polyline") == 2
    assert text.count("<line ") == 1
    words = "last day: 0.10 · most: 0.17 (2026-11-13) · agreed (dashes): 1.00 · days without a measure: 6"
    assert f"<figcaption>{words}</figcaption>" in text
    assert f'role="img" aria-label="CPU (cores). {words}"' in text


@pytest.mark.parametrize("value", [0.0, 1e-9, 5.0, 1e12])
def test_the_drawing_stays_inside_its_frame_whatever_was_used(value: float) -> None:
    text = shown([used("blog", ago=ago, cpu_seconds=value * ago) for ago in range(-3, 80)])
    numbers = [float(number) for points in re.findall(r'points="([^"]+)"', text) for number in re.split("[ ,]", points)]
    assert all(0 <= x <= 600 for x in numbers[::2])
    assert all(0 <= y <= 120 for y in numbers[1::2])


def test_one_day_alone_is_seen_and_none_is_said() -> None:
    assert shown([used("blog", cpu_seconds=10.0)]).count("<polyline") == 1
    assert "Aucun jour n'est encore gardé" in shown([], language="fr").replace("&#x27;", "'")
