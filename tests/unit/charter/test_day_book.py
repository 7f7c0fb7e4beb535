"""The day book: what apps used in a day, with nothing counted twice and nothing invented, also in state.db."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.charter import day_store
from agent.charter.day_book import COUNTERS, FIGURES, DayBook, DayOfApp
from agent.readings import Readings
from coloc.model import SYSTEM, App
from coloc.state import State, open_state
from tests.fakes.colocations import colocation

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPS = colocation(
    App("blog", "wordpress", "Blog"), App("nuage", "nextcloud", "N"), shares={"nuage": {"a": 0.25, "b": 0.75}}
)


def readings(**values: Mapping[str, float]) -> Readings:
    """name → app → value; `cpu_seconds=` stands for coloc_app_cpu_seconds_total and so on."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {
        COUNTERS.get(name, f"coloc_{name}"): {(("app", app), ("project", "x")): value for app, value in each.items()}
        for name, each in values.items()
    }
    return Readings(found)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(open_state(tmp_path / "state.db")) as opened:
        yield opened


def by_app(days: list[DayOfApp]) -> dict[str, DayOfApp]:
    return {each.app: each for each in days}


def test_counters_are_what_they_grew_and_gauges_are_added_up_over_time() -> None:
    book = DayBook(PARIS)
    book.look(readings(cpu_seconds={"blog": 50}, app_memory_bytes={"blog": 10}), APPS, NOON, 0)
    book.look(readings(cpu_seconds={"blog": 80}, app_memory_bytes={"blog": 20}), APPS, NOON, 60)
    book.look(readings(cpu_seconds={"blog": 90}, app_memory_bytes={"blog": 5}), APPS, NOON, 160)
    blog = by_app(book.take())["blog"]
    assert (blog.day, blog.seconds) == ("2026-11-23", 160)
    assert blog.figures["cpu_seconds"] == 40
    assert blog.figures["memory_byte_seconds"] == 20 * 60 + 5 * 100


def test_the_first_look_is_only_where_counting_begins() -> None:
    book = DayBook(PARIS)
    book.look(readings(requests={"blog": 1000}), APPS, NOON, 0)
    assert book.take() == []


def test_an_app_without_a_visitor_was_measured_and_one_without_a_log_was_not() -> None:
    book = DayBook(PARIS)
    for clock in (0, 60):
        book.look(readings(requests={"nuage": 7}), APPS, NOON, clock)
    days = by_app(book.take())
    assert days["blog"].figures["requests"] == 0
    assert "mails" not in days["blog"].figures


def test_the_first_visitor_of_an_app_is_counted() -> None:
    book = DayBook(PARIS)
    book.look(readings(requests={}), APPS, NOON, 0)
    book.look(readings(requests={"blog": 3}), APPS, NOON, 60)
    assert by_app(book.take())["blog"].figures["requests"] == 3


def test_a_counter_that_began_anew_is_not_counted_backwards() -> None:
    book = DayBook(PARIS)
    book.look(readings(cpu_seconds={"blog": 500}), APPS, NOON, 0)
    book.look(readings(cpu_seconds={"blog": 4}), APPS, NOON, 60)
    assert by_app(book.take())["blog"].figures["cpu_seconds"] == 4


def test_a_pause_was_not_watched() -> None:
    book = DayBook(PARIS)
    book.look(readings(cpu_seconds={"blog": 0}, app_memory_bytes={"blog": 9}), APPS, NOON, 0)
    book.look(readings(cpu_seconds={"blog": 9}, app_memory_bytes={"blog": 9}), APPS, NOON, 4000)
    assert book.take() == []


def test_a_day_ends_at_midnight_of_the_colocation() -> None:
    book, late = DayBook(PARIS), datetime(2026, 11, 23, 22, 59, tzinfo=UTC)
    for minutes in range(3):
        book.look(readings(app_disk_bytes={"blog": 1}), APPS, late + timedelta(minutes=minutes), minutes * 60)
    assert {each.day: each.seconds for each in book.take() if each.app == "blog"} == {"2026-11-24": 120}
    book.look(readings(), APPS, late, 180)
    assert {each.day for each in book.take()} == {"2026-11-23"}


def test_folders_and_databases_are_one_figure_and_the_machine_has_a_row() -> None:
    book = DayBook(PARIS)
    for clock in (0, 60):
        book.look(
            readings(app_disk_bytes={"blog": 5}, app_database_bytes={"blog": 2}, app_memory_bytes={SYSTEM: 3}),
            APPS, NOON, clock,
        )  # fmt: skip
    days = by_app(book.take())
    assert days["blog"].figures["disk_byte_seconds"] == 7 * 60
    assert days[SYSTEM].shares == {SYSTEM: 1.0}
    assert days["nuage"].shares == {"a": 0.25, "b": 0.75}


def test_days_are_added_up_in_the_state_and_survive_it(state: State, tmp_path: Path) -> None:
    part = DayOfApp("2026-11-23", "blog", {"a": 1.0}, 60, {"requests": 2, "cpu_seconds": 1.5})
    for days in ([part], [DayOfApp("2026-11-23", "blog", {"b": 1.0}, 30, {"requests": 3})]):
        with state.transaction() as connection:
            day_store.add(connection, days)
    with closing(open_state(tmp_path / "state.db")) as again:
        (day,) = day_store.days_between(again.connection, "2026-11-01", "2026-11-30")
    assert (day.seconds, day.figures, day.shares) == (90, {"requests": 5, "cpu_seconds": 1.5}, {"b": 1.0})


def test_what_could_not_be_kept_is_kept_the_next_time(state: State) -> None:
    book = DayBook(PARIS)
    for clock in (0, 60):
        book.look(readings(requests={"blog": clock}), APPS, NOON, clock)
    book.again(book.take())
    book.look(readings(requests={"blog": 100}), APPS, NOON, 120)
    with state.transaction() as connection:
        day_store.add(connection, book.take())
    found = day_store.watched(state.connection, "2026-11-23", "2026-11-23")["blog"]
    assert (found.days, found.requests, found.mails) == (1, 100, None)


def test_old_days_are_forgotten(state: State) -> None:
    today = date(2026, 11, 23)
    old, young = today - timedelta(days=401), today - timedelta(days=400)
    with state.transaction() as connection:
        day_store.add(connection, [DayOfApp(day.isoformat(), "blog", {}, 1) for day in (old, young)])
        day_store.forget_before(connection, today)
    assert [day.day for day in day_store.days_between(state.connection, "2000-01-01", "2100-01-01")] == [str(young)]


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=30))
def test_however_a_counter_grows_no_growth_is_lost(steps: list[int]) -> None:
    book, total = DayBook(PARIS), 0
    for number, step in enumerate(steps):
        total += step
        book.look(readings(requests={"blog": total}), APPS, NOON, 60 * number)
    assert sum(each.figures.get("requests", 0) for each in book.take()) == total - steps[0]


def test_the_table_holds_every_figure(state: State) -> None:
    columns = {row["name"] for row in state.connection.execute("PRAGMA table_info(days)")}
    assert columns == {"day", "app", "shares", "seconds", *FIGURES}
