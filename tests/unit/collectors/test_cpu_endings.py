"""What the kernel counts after it told of an end: found by what the parent got, given once, and never too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cpu_endings import Endings
from collectors.cpu_ledger import Ended, Look, Used


def used(pid: int, *, kids: float = 0, parent: int = 1, own: float = 0) -> Used:
    return Used(pid, parent, (int(own), 0), (int(kids), 0), None)


def reaping(before: float, now: float, *, gone: tuple[Used, ...] = (), pid: int = 5) -> Look:
    """The process `pid` goes on, and has got so much for its children."""
    return Look([(used(pid, kids=before), used(pid, kids=now))], [], list(gone), (0, 0), 500.0)


def end(pid: int, own: float, *, parent: int = 5, app: str | None = "blog") -> Ended:
    return Ended(pid, parent, (own, 0.0), (0.0, 0.0), app)


def totals(ended: tuple[Ended, ...]) -> dict[int, float]:
    return {each.pid: sum(each.own) for each in ended}


def test_what_the_parent_got_beyond_what_was_told_is_system_time_of_the_child() -> None:
    (completed,) = Endings().complete(reaping(100, 134), [end(7, 30)])
    assert completed.own == (30, 4)


def test_it_is_given_once() -> None:
    endings = Endings()
    assert totals(endings.complete(reaping(0, 34), [end(7, 30)])) == {7: 34}
    assert totals(endings.complete(reaping(34, 44), [end(8, 10)])) == {8: 10}


def test_those_that_ended_together_share_in_proportion() -> None:
    ended = Endings().complete(reaping(0, 44), [end(7, 30), end(8, 10, app="wiki")])
    assert totals(ended) == {7: 33, 8: 11}


def test_it_is_never_more_than_what_was_told_once_again() -> None:
    assert totals(Endings().complete(reaping(0, 5000), [end(7, 10)])) == {7: 20}


def test_a_child_that_is_reaped_later_is_waited_for() -> None:
    endings = Endings()
    assert totals(endings.complete(reaping(0, 0), [end(7, 30)])) == {7: 30}
    assert endings.complete(reaping(0, 34), []) == ()
    assert totals(endings.complete(reaping(34, 45), [end(8, 10)])) == {8: 15}  # its own one, and the four of the first


def test_what_is_cut_off_does_not_add_up() -> None:
    endings, given = Endings(), 0.0
    for number in range(100):
        ended = endings.complete(reaping(int(number * 1.4), int((number + 1) * 1.4)), [end(7 + number, 1.4)])
        given += sum(totals(ended).values())
    assert given == pytest.approx(140, abs=1)


def test_a_grandchild_counts_where_its_living_ancestor_reaps() -> None:
    ended = Endings().complete(reaping(0, 44), [end(7, 10), end(8, 30, parent=7)])
    assert totals(ended) == {7: 11, 8: 33}


def test_a_parent_that_ends_hands_its_balance_on() -> None:
    endings = Endings()
    endings.complete(reaping(0, 0, pid=6), [end(7, 30, parent=6)])
    ended = endings.complete(reaping(0, 44, gone=(used(6, parent=5),)), [end(6, 10)])
    assert totals(ended) == {6: 14}  # 44 less 30 that were told before


def test_one_that_was_seen_and_not_told_counts_as_it_was_seen() -> None:
    ended = Endings().complete(reaping(0, 75, gone=(used(9, parent=5, own=40),)), [end(7, 30)])
    assert totals(ended) == {7: 35}


def test_what_the_first_process_reaps_says_nothing() -> None:
    ended = Endings().complete(reaping(0, 900, pid=1), [end(7, 30, parent=1)])
    assert totals(ended) == {7: 30}


def test_after_a_loss_it_begins_afresh() -> None:
    endings = Endings()
    endings.complete(reaping(0, 0), [end(7, 30)])
    endings.forget()
    assert totals(endings.complete(reaping(0, 11), [end(8, 10)])) == {8: 11}


CHILD = st.tuples(st.floats(0, 50), st.floats(0, 20), st.integers(0, 3))  # told, its end, looks until it is reaped


@given(st.lists(st.lists(CHILD, max_size=5), max_size=12))
def test_no_more_is_given_than_was_spent_nor_less_than_was_told(
    looks: list[list[tuple[float, float, int]]],
) -> None:
    endings, kids, given, spent, pid = Endings(), 0.0, 0.0, 0.0, 100
    later: dict[int, float] = {}
    for number, children in enumerate([*looks, [], [], []]):
        ended = []
        for told, more, after in children:
            pid += 1
            ended.append(end(pid, told))
            spent += told + more
            later[number + after] = later.get(number + after, 0.0) + told + more
        before, kids = kids, kids + later.pop(number, 0.0)
        completed = endings.complete(reaping(before, kids), ended)
        given += sum(totals(completed).values())
        assert given <= spent + 1e-6
        assert all(sum(each.own) >= told for each, (told, _, _) in zip(completed, children, strict=True))
