"""Answers of real sockets: whole, compressed, in chunks, too large, and one that never ends."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from alerts.http import Http

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
BODY = json.dumps({"text": "é" * 20_000}).encode()


@contextmanager
def served(parts: Iterator[bytes] | list[bytes], every: float = 0.0) -> Iterator[str]:
    """One connection that is answered with these parts, one after the other."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                for part in parts:
                    connection.sendall(part)
                    time.sleep(every)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        thread.join(10)
        assert not thread.is_alive()


def _length(body: bytes) -> bytes:
    return f"Content-Length: {len(body)}\r\n\r\n".encode()


def _chunked(body: bytes) -> list[bytes]:
    pieces = [body[at : at + 7000] for at in range(0, len(body), 7000)]
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD, _length(BODY), BODY],
        [HEAD, _length(BODY), BODY[:10], BODY[10:]],
        [HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *_chunked(BODY)],
        [HEAD, b"Content-Encoding: gzip\r\n", _length(gzip.compress(BODY, mtime=0)), gzip.compress(BODY, mtime=0)],
        [HEAD, b"\r\n", BODY],
    ],
    ids=["whole", "in two", "chunked", "gzip", "until the end"],
)
def test_an_answer_is_read_whole_however_it_comes(parts: list[bytes]) -> None:
    with served(parts) as url:
        assert Http(url, {}).ask("GET", "/").data == json.loads(BODY)


def test_an_answer_that_comes_byte_by_byte_without_end_is_no_answer() -> None:
    endless = [HEAD, b"Content-Length: 1000\r\n\r\n", *[b" "] * 1000]
    begun = time.monotonic()
    with served(endless, every=0.02) as url:
        answer = Http(url, {}, body_seconds=0.3).ask("GET", "/")
        assert (answer.status, answer.why) == (0, "no answer (Timeout)")
        assert time.monotonic() - begun < 10, "it would go on for twenty seconds"


def test_of_an_answer_that_is_too_large_the_beginning_is_read_and_no_more() -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000, mtime=0)
    with served([HEAD, b"Content-Encoding: gzip\r\n", _length(bomb), bomb]) as url:
        answer = Http(url, {}).ask("GET", "/", at_most=10_000)
        assert (answer.status, answer.is_json) == (200, False)


@pytest.mark.parametrize(
    "parts",
    [[HEAD, _length(BODY), BODY[:-10]], [HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *_chunked(BODY)[:-2]]],
    ids=["by its length", "chunked"],
)
def test_an_answer_that_breaks_off_is_no_answer(parts: list[bytes]) -> None:
    with served(parts) as url:
        assert Http(url, {}).ask("GET", "/").status == 0
