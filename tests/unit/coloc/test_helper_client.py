"""The daemon's side of the helper's socket: its answer as it was meant, one sentence for every way that it fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from coloc.helper_client import HelperClient, HelperSilent
from coloc.verbs import Answer, Ask, answer_line, parse_request

READ = Ask("read")


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):  # it stops listening when it has heard too much
                heard.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(20)


def test_it_asks_in_one_line_and_reads_the_answer(tmp_path: Path) -> None:
    with answering(tmp_path / "s", answer_line(Answer("no"))) as heard:
        assert HelperClient(tmp_path / "s")(READ) == Answer("no")
    assert parse_request(heard[0].rstrip(b"\n")) == READ


@pytest.mark.parametrize("answer", [b"", b"\n", b"{}\n", b"[1]\n", b"x" * 2_000_000, b'{"protocol": 1}\n'])
def test_what_is_no_answer_of_the_helper_is_told(tmp_path: Path, answer: bytes) -> None:
    with answering(tmp_path / "s", answer), pytest.raises(HelperSilent):
        HelperClient(tmp_path / "s")(READ)


def test_another_version_is_told_with_what_to_do(tmp_path: Path) -> None:
    answer = answer_line(Answer()).replace(b'"protocol": 1', b'"protocol": 9')
    with answering(tmp_path / "s", answer), pytest.raises(HelperSilent, match=r"speaks version 9.*install.sh"):
        HelperClient(tmp_path / "s")(READ)


def test_where_nobody_listens_it_says_what_root_has_to_do(tmp_path: Path) -> None:
    with pytest.raises(HelperSilent) as caught:
        HelperClient(tmp_path / "none")(READ)
    assert "coloc-agent quota agree" in caught.value.hint


def test_a_helper_that_says_nothing_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        with pytest.raises(HelperSilent, match="does not answer"):
            HelperClient(tmp_path / "s", seconds=0.2)(READ)
