"""What the daemon believes of an answer about exits, and when it may rely on having them all."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.exit_client import ExitClient, ProcessExit, parse_answer

ROW = [7, 5, 901, 12.5, 30_000, 10_000]
ANSWER: dict[str, Any] = {
    "generation": "g",
    "cursor": 1,
    "missed": 0,
    "active": True,
    "storms": 0,
    "lost": 0,
    "gaps": 1,
    "exits": [ROW],
}


@contextmanager
def answering(path: Path, *answers: bytes) -> Iterator[list[bytes]]:
    """A service that gives these answers, one a connection; what it was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(8)

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.recv(1000))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            thread.join(30)


def said(**changes: object) -> bytes:
    return json.dumps({**ANSWER, **changes}).encode() + b"\n"


def test_an_answer_is_parsed() -> None:
    assert parse_answer(said()).exits == (ProcessExit(7, 5, 901, 12.5, 30_000, 10_000),)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        said(generation=None),
        said(generation="x" * 65),
        said(active=1),
        said(cursor=-1),
        said(lost=True),
        said(gaps=2**53),
        said(missed="0"),
        said(exits={}),
        said(exits=[ROW] * 20_001),
        said(exits=[ROW[:5]]),
        said(exits=[[*ROW, 1]]),
        said(exits=[["7", *ROW[1:]]]),
        said(exits=[[7, 5, 901, float("nan"), 1, 1]]),
        said(exits=[[7, 5, 901, float("inf"), 1, 1]]),
        said(exits=[[7, 5, 901, -1, 1, 1]]),
        said(exits=[[7, 5, 901, 1, 1, 1.5]]),
    ],
)
def test_an_answer_that_is_odd_is_refused_whole(answer: bytes) -> None:
    with pytest.raises(ValueError):
        parse_answer(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(list(ANSWER)), inner, max_size=8),
    max_leaves=30,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_answer_does_more_harm_than_a_value_error(data: bytes) -> None:
    try:
        answer = parse_answer(data)
    except ValueError:
        return
    assert min(answer.cursor, answer.lost, answer.gaps, answer.storms, answer.missed) >= 0


def test_the_first_answer_only_tells_where_to_begin(tmp_path: Path) -> None:
    with answering(tmp_path / "s", said(), said(cursor=2)) as asked:
        client = ExitClient(tmp_path / "s")
        first, second = client(), client()
    assert first and second
    assert (first.exits, first.complete) == ((), False)
    assert (len(second.exits), second.complete) == (1, True)
    assert [json.loads(line) for line in asked] == [{}, {"generation": "g", "cursor": 1}]


@pytest.mark.parametrize(
    "second",
    [
        said(gaps=2, lost=3),
        said(active=False),
        said(missed=4),
        said(generation="h"),
    ],
)
def test_whoever_lost_some_does_not_claim_to_have_all(tmp_path: Path, second: bytes) -> None:
    with answering(tmp_path / "s", said(), second):
        client = ExitClient(tmp_path / "s")
        client()
        answer = client()
    assert answer
    assert not answer.complete


def test_exits_of_another_generation_are_not_mixed_in(tmp_path: Path) -> None:
    with answering(tmp_path / "s", said(), said(generation="h")):
        client = ExitClient(tmp_path / "s")
        client()
        answer = client()
    assert answer
    assert answer.exits == ()


def test_what_was_missed_adds_up(tmp_path: Path) -> None:
    with answering(tmp_path / "s", said(), said(missed=4), said(missed=2), said()):
        client = ExitClient(tmp_path / "s")
        answers = [client() for _ in range(4)]
    assert [answer.missed for answer in answers if answer] == [0, 4, 6, 6]


def test_no_service_is_no_answer_and_is_asked_again_at_once(tmp_path: Path) -> None:
    client = ExitClient(tmp_path / "s")
    assert client() is None
    with answering(tmp_path / "s", said()):
        assert client()


def test_a_socket_that_nobody_serves_is_no_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
    assert ExitClient(tmp_path / "s")() is None


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b" " * (2 * 1024 * 1024 + 70_000) + said()])
def test_a_service_that_answers_nonsense_is_left_alone_for_a_while(tmp_path: Path, answer: bytes) -> None:
    now = [100.0]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(8)
        client = ExitClient(tmp_path / "s", clock=lambda: now[0])

        def serve() -> None:
            for each in (answer, said()):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    with suppress(BrokenPipeError):
                        connection.sendall(each)

        thread = threading.Thread(target=serve)
        thread.start()
        assert client() is None
        now[0] += 59
        assert client() is None
        now[0] += 2
        again = client()
        thread.join(30)
    assert again
    assert again.exits == ()


def test_a_service_that_hangs_costs_a_second_and_then_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(8)
        client = ExitClient(tmp_path / "s")
        assert client() is None
        listener.settimeout(10)
        listener.accept()[0].close()
        assert client() is None
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
