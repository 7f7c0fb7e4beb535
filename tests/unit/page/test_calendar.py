"""The calendar of archives: each day once, the same in words, and nothing that looks better than it was."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.page.remembered import SavedDay, Told, saved_days
from tests.fakes.pages import HOSTILE, NOW, Page, render, status

TODAY = NOW.date()


def shown(*saved: SavedDay, language: str = "en") -> str:
    return render(replace(status(), hosts=("merle",)), language, "/backups", Told(saved))


def day(ago: int, saved: int = 2, failed: tuple[str, ...] = (), host: str = "merle") -> SavedDay:
    return SavedDay(TODAY - timedelta(days=ago), host, saved, failed)


def test_the_last_thirty_one_days_stand_there_once_each_in_whole_weeks() -> None:
    text = shown(day(0))
    table = text[text.index('<table class="calendar"') :].split("</table>")[0]
    days = [date.fromisoformat(each) for each in re.findall(r'datetime="([^"]+)"', table)]
    assert days == [TODAY - timedelta(days=ago) for ago in range(30, -1, -1)]
    assert {row.count("<td") for row in re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1])} == {7}


def test_a_night_that_failed_is_told_with_its_apps_and_one_that_did_not_happen_as_nothing() -> None:
    text = shown(day(9), day(5, 1, ("wiki",)), day(0))
    words = "10 days: 2 went well, 1 with a failure, 7 without a backup"
    assert words in text
    assert f"<li>{TODAY - timedelta(days=5)}: wiki</li>" in text
    assert '<span class="good">✓ 1</span> <span class="bad">✗ 1</span>' in text


def test_a_host_without_any_archive_and_a_state_that_cannot_be_read_are_two_sentences() -> None:
    assert "Aucune archive depuis 31 jours" in shown(day(3, host="alouette"), language="fr")
    assert "Aucune archive depuis 31 jours" in shown(day(40), language="fr")
    unread = Told(None, None)
    for path in ("/backups", "/projects/blog", "/apps/blog"):
        assert "The history cannot be read now" in render(status(), "en", path, unread)


def test_many_failures_are_named_in_part_and_hostile_names_stay_words() -> None:
    apps = (HOSTILE, *(f"app{number}" for number in range(60)))
    page = Page(shown(*(day(ago, 0, apps) for ago in range(31))))
    assert "script" not in page.tags
    failed = [words for words in page.words if "(+ 56 more)" in words]
    assert len(failed) == 5
    assert "<script>alert" in failed[0]


@pytest.mark.parametrize(
    ("tries", "saved", "failed"),
    [
        ([("blog", True)], 1, ()),
        ([("blog", False), ("blog", True)], 1, ()),
        ([("blog", True), ("blog", False)], 1, ()),
        ([("blog", False), ("wiki", True)], 1, ("blog",)),
    ],
)
def test_one_good_archive_of_a_day_is_enough(
    tries: list[tuple[str, bool]], saved: int, failed: tuple[str, ...]
) -> None:
    (found,) = saved_days((TODAY, "merle", app, ok) for app, ok in tries)
    assert (found.saved, found.failed) == (saved, failed)


@given(
    st.lists(
        st.tuples(
            st.dates(TODAY - timedelta(days=60), TODAY),
            st.sampled_from(["a", "b"]),
            st.sampled_from("xyz"),
            st.booleans(),
        )
    )
)
def test_whatever_was_tried_no_app_is_both_and_none_is_lost(rows: list[tuple[date, str, str, bool]]) -> None:
    found = saved_days(rows)
    for each in found:
        tries = [(app, ok) for day, host, app, ok in rows if (day, host) == (each.day, each.host)]
        good = {app for app, ok in tries if ok}
        assert (each.saved, set(each.failed)) == (len(good), {app for app, _ in tries} - good)
    assert {(each.day, each.host) for each in found} == {row[:2] for row in rows}
