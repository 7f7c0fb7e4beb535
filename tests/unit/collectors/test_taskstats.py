"""The kernel's messages about ended processes: real ones, every layout that we know, and any bytes at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.exits.netlink import attribute as asked_attribute
from collectors.exits.netlink import family_in
from collectors.exits.taskstats import Exit, attributes, parse_datagram, split
from tests.fakes.exit_service import FAMILY, attribute, datagram, stats

CAPTURED = Path(__file__).parents[2] / "captured/taskstats/linux-6.18-family-31.hex"


def test_real_messages_give_one_record_a_process_with_the_time_of_all_threads() -> None:
    heard = [parse_datagram(bytes.fromhex(line), 31) for line in CAPTURED.read_text().split()]
    assert [each.tasks for each in heard] == [1, 1, 1, 1]
    assert [each.unreadable for each in heard] == [0, 0, 0, 0]
    assert [ended for each in heard for ended in each.exits] == [
        Exit(pid=30139, parent=30138, uid=61901, wall=41404, user=15001, system=26120),
        Exit(pid=30140, parent=30138, uid=61901, wall=82992, user=27517, system=55022),
    ]


@pytest.mark.parametrize(("version", "size"), [(12, 384), (13, 416), (14, 432), (16, 560), (17, 700)])
def test_every_layout_that_says_whose_a_thread_was_is_read(version: int, size: int) -> None:
    task = stats(pid=70, parent=5, uid=901, user=3, system=1, virtual_ns=40_000_000, version=version, size=size)
    assert parse_datagram(datagram(task), FAMILY).exits == [Exit(70, 5, 901, 50_000, 30_000, 10_000)]


@pytest.mark.parametrize("version", [0, 8, 11, 15])
def test_a_layout_that_we_do_not_trust_is_counted_not_guessed(version: int) -> None:
    heard = parse_datagram(datagram(stats(version=version)), FAMILY)
    assert (heard.exits, heard.unreadable) == ([], 1)


def test_a_thread_that_ends_before_its_process_is_no_exit() -> None:
    heard = parse_datagram(datagram(stats(last=False)), FAMILY)
    assert (heard.exits, heard.tasks, heard.unreadable) == ([], 1, 0)


def test_the_sums_of_all_threads_go_with_the_user_of_the_last() -> None:
    whole = stats(pid=0, parent=0, uid=0, user=2, system=2, virtual_ns=900_000_000)
    (ended,) = parse_datagram(datagram(stats(uid=901), whole), FAMILY).exits
    assert (ended.uid, ended.user, ended.system) == (901, 450_000, 450_000)


def test_several_messages_in_one_datagram_are_all_read() -> None:
    both = datagram(stats(pid=8)) + datagram(stats(pid=9))
    assert [ended.pid for ended in parse_datagram(both, FAMILY).exits] == [8, 9]


def test_messages_of_another_family_say_nothing() -> None:
    heard = parse_datagram(datagram(stats(), family=2), FAMILY)
    assert (heard.exits, heard.tasks, heard.unreadable) == ([], 0, 0)


def test_a_message_that_was_cut_is_counted() -> None:
    assert parse_datagram(datagram(stats())[:-30], FAMILY).unreadable == 1


@pytest.mark.parametrize(
    ("virtual_ns", "user", "system", "expected"),
    [
        (40_000_000, 3, 1, (30_000, 10_000)),
        (40_000_999, 0, 0, (40_000, 0)),  # too short for a sample
        (0, 7, 5, (7, 5)),
        (0, 0, 0, (0, 0)),
        (2**64 - 1, 1, 0, (10**15, 0)),
    ],
)
def test_how_much_is_exact_and_samples_only_split_it(
    virtual_ns: int, user: int, system: int, expected: tuple[int, int]
) -> None:
    assert split(virtual_ns, user, system) == expected


@given(*[st.integers(0, 2**64 - 1)] * 3)
def test_a_split_loses_nothing(virtual_ns: int, user: int, system: int) -> None:
    parts = split(virtual_ns, user, system)
    assert min(parts) >= 0
    assert sum(parts) == min(virtual_ns // 1000 or user + system, 10**15)


@given(st.binary(max_size=1500))
@example(b"\0" * 100)
def test_no_bytes_make_it_raise_or_loop(data: bytes) -> None:
    heard = parse_datagram(data, FAMILY)
    assert len(heard.exits) + heard.unreadable <= len(data) // 16 + 1


@given(st.data())
def test_no_damaged_message_makes_it_raise_or_loop(data: st.DataObject) -> None:
    message = bytearray(datagram(stats(), stats(version=16, size=560)))
    for place in data.draw(st.lists(st.integers(0, len(message) - 1), max_size=12)):
        message[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(message)))
    heard = parse_datagram(bytes(message[:cut]), FAMILY)
    for ended in heard.exits:
        assert 0 <= ended.user + ended.system <= 10**15
        assert 0 <= ended.wall <= 10**15


@given(st.binary(max_size=300))
@example(b"\0" * 100)
@example(b"\3\0\1\0" * 10)
def test_attributes_end_whatever_they_are(data: bytes) -> None:
    assert len(list(attributes(data))) <= len(data) // 4


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=20)), max_size=6))
def test_attributes_come_back_as_they_were_written(pairs: list[tuple[int, bytes]]) -> None:
    assert list(attributes(b"".join(attribute(*pair) for pair in pairs))) == pairs
    assert b"".join(asked_attribute(*pair) for pair in pairs) == b"".join(attribute(*pair) for pair in pairs)


def test_a_kernel_without_taskstats_is_an_expected_failure() -> None:
    assert family_in(attribute(2, b"TASKSTATS\0") + attribute(1, b"\x1f\0")) == 31
    with pytest.raises(OSError, match="TASKSTATS"):
        family_in(attribute(1, b"\x1f"))
