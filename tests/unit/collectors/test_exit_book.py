"""What the service keeps and tells: cursors, generations, losses; and when it calls a storm a storm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.exit_client import parse_answer
from collectors.exits.book import Book, Question, parse_question
from collectors.exits.storm import Limits, Watch, hear_again, heard_again, judge, refused
from collectors.exits.taskstats import Exit

LIMITS = Limits(per_second=100, seconds=5, pause=60, refused=600)


def ended(pid: int, *, wall: int = 500_000) -> Exit:
    return Exit(pid, 1, 901, wall, 30_000, 10_000)


def told(book: Book, question: Question) -> Any:
    return json.loads(book.answer(question, active=True, storms=0))


def pids(answer: Any) -> list[int]:
    return [row[0] for row in answer["exits"]]


def test_whoever_asks_first_is_told_where_the_end_is_and_nothing_of_the_past() -> None:
    book = Book("g")
    book.add(ended(7), 100.0)
    answer = told(book, Question())
    assert (answer["generation"], answer["cursor"], answer["exits"]) == ("g", 1, [])


def test_then_it_is_told_what_came_since() -> None:
    book = Book("g")
    book.add(ended(7), 100.0)
    book.add(ended(8), 100.5)
    book.add(ended(9), 101.0)
    answer = told(book, Question("g", 1))
    assert answer["exits"] == [[8, 1, 901, 100.0, 30_000, 10_000], [9, 1, 901, 100.5, 30_000, 10_000]]
    assert (answer["cursor"], answer["missed"]) == (3, 0)
    assert pids(told(book, Question("g", 3))) == []


def test_two_who_ask_do_not_take_from_each_other() -> None:
    book = Book("g")
    book.add(ended(7), 100.0)
    assert pids(told(book, Question("g", 0))) == pids(told(book, Question("g", 0))) == [7]


def test_a_cursor_of_another_generation_or_of_the_future_gets_nothing() -> None:
    book = Book("g")
    book.add(ended(7), 100.0)
    for question in (Question("h", 0), Question("g", 99)):
        answer = told(book, question)
        assert (answer["exits"], answer["missed"], answer["cursor"]) == ([], 0, 1)


def test_what_is_kept_is_bounded_and_what_was_missed_is_said() -> None:
    book = Book("g", most_kept=3)
    for pid in range(10):
        book.add(ended(pid), 100.0)
    answer = told(book, Question("g", 2))
    assert (pids(answer), answer["missed"]) == ([7, 8, 9], 5)


def test_losses_and_interruptions_are_gaps() -> None:
    book = Book("g")
    book.interrupt()
    book.lose(12)
    answer = told(book, Question("g", 0))
    assert (answer["gaps"], answer["lost"]) == (2, 12)


def test_an_answer_holds_numbers_and_no_name() -> None:
    book = Book("g")
    book.add(ended(7), 100.0)
    assert set(told(book, Question("g", 0))) == {
        *("generation", "cursor", "missed", "active", "storms", "lost", "gaps", "exits"),
    }


def test_the_daemon_understands_what_the_book_says() -> None:
    book = Book("g")
    book.add(ended(7, wall=10**9), 3.0)  # the clock of the boot was not right: it began "before" it
    book.add(ended(8), 100.0)
    answer = parse_answer(book.answer(Question("g", 0), active=True, storms=2))
    assert [(each.pid, each.started) for each in answer.exits] == [(7, 0.0), (8, 99.5)]
    assert (answer.storms, answer.active) == (2, True)


@pytest.mark.parametrize(
    ("line", "question"),
    [
        (b"{}", Question()),
        (b'{"generation": "ab", "cursor": 12}', Question("ab", 12)),
        (b'{"cursor": 3, "more": []}', Question("", 3)),
    ],
)
def test_questions_are_understood(line: bytes, question: Question) -> None:
    assert parse_question(line) == question


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"12",
        b'{"cursor": -1}',
        b'{"cursor": true}',
        b'{"cursor": 1.5}',
        b'{"cursor": 9223372036854775808}',
        b'{"generation": 1}',
        b"[" * 250,
        b"{" + b" " * 300 + b"}",
        b"\xff{}",
    ],
)
def test_what_is_no_question_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse_question(line)


@given(st.binary(max_size=400))
def test_no_question_does_more_harm_than_a_value_error(line: bytes) -> None:
    try:
        question = parse_question(line)
    except ValueError:
        return
    assert 0 <= question.cursor < 2**63


def after(watch: Watch, *counts: int) -> Watch:
    """One second after the other, with so many exits in each."""
    for second, exits in enumerate(counts):
        if watch.deaf_until is None:
            watch = judge(watch, LIMITS, exits=exits, since=float(second), now=float(second + 1))
    return watch


def test_many_exits_for_long_are_a_storm() -> None:
    assert after(Watch(), *[101] * 5) == Watch(deaf_until=65.0, storms=1)


def test_a_burst_is_no_storm() -> None:
    assert after(Watch(), *[5000] * 4).deaf_until is None
    assert after(Watch(), *[5000] * 4, 3) == Watch()
    assert after(Watch(), *[5000] * 4, 3, *[5000] * 4).deaf_until is None


def test_much_that_is_not_too_much_goes_on_for_ever() -> None:
    assert after(Watch(), *[100] * 50) == Watch()


def test_the_rate_is_that_of_the_time_that_passed() -> None:
    # The service was not let run for a minute, and then found what had gathered.
    assert judge(Watch(), LIMITS, exits=3000, since=0.0, now=60.0) == Watch()
    assert judge(Watch(), LIMITS, exits=3000, since=5.0, now=5.0) == Watch()


def test_after_the_pause_it_hears_again_and_judges_afresh() -> None:
    storm = after(Watch(), *[101] * 5)
    assert not hear_again(storm, 64.9)
    assert hear_again(storm, 65.0)
    assert heard_again(storm) == Watch(storms=1)


def test_a_kernel_that_refuses_is_asked_again_later() -> None:
    watch = refused(Watch(storms=1), LIMITS, 10.0)
    assert watch == Watch(deaf_until=610.0, storms=1)


@given(st.lists(st.integers(0, 300), max_size=60))
def test_storms_are_called_only_when_every_second_was_too_much(counts: list[int]) -> None:
    watch = Watch()
    for second, exits in enumerate(counts):
        watch = judge(watch, LIMITS, exits=exits, since=float(second), now=float(second + 1))
        if watch.deaf_until is not None:
            assert all(count > 100 for count in counts[second - 4 : second + 1])
            return
