"""The web server on a real socket: methods, paths, slow and numerous clients, a port that is taken, a quick end."""

from __future__ import annotations

import http.client
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from agent.web import Request, Response, Web
from coloc.errors import ColocError
from tests.fakes.waiting import until


def hello(request: Request) -> Response:
    return Response(f"hello {request.query.get('name', ('you',))[0]}".encode())


def broken(_: Request) -> Response:
    raise ZeroDivisionError


@pytest.fixture
def web() -> Iterator[Web]:
    found = Web("127.0.0.1", 0, {"/": hello, "/broken": broken})
    found.start()
    yield found
    found.stop()


def ask(web: Web, method: str, path: str, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    host, port = web.address
    with closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def raw(web: Web) -> socket.socket:
    return socket.create_connection(web.address, timeout=5)


def test_a_route_answers_whatever_the_host_header_says(web: Web) -> None:
    assert ask(web, "GET", "/?name=l%C3%A9a", Host="evil.test")[:2] == (200, "hello léa".encode())


def test_head_is_the_same_without_the_body(web: Web) -> None:
    status, body, headers = ask(web, "HEAD", "/")
    assert (status, body, headers["Content-Length"]) == (200, b"", "9")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X" * 50])
def test_other_methods_are_refused(web: Web, method: str) -> None:
    status, _, headers = ask(web, method, "/")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/x", "/../etc/passwd", "//etc/passwd", "/%2e%2e/", "/metrics/"])
def test_any_other_path_is_not_there(web: Web, path: str) -> None:
    assert ask(web, "GET", path)[0] == 404


def test_nonsense_is_a_bad_request(web: Web) -> None:
    for line in (
        b"GET\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 / x\r\n\r\n",
        b"GET /?" + b"&a=1" * 500 + b" HTTP/1.1\r\n\r\n",
    ):
        with raw(web) as client:
            client.sendall(line)
            assert b"400" in client.recv(4096).split(b"\r\n")[0] or b"400" in client.recv(4096)


def test_a_line_that_is_too_long_is_refused(web: Web) -> None:
    with raw(web) as client:
        with suppress(OSError):
            client.sendall(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n")
        assert b" 414 " in client.recv(100)


def test_a_bug_in_a_page_is_logged_and_the_next_reader_is_served(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(http.client.RemoteDisconnected):
        ask(web, "GET", "/broken")
    assert [record.getMessage() for record in caplog.records] == ["a page failed"]
    assert ask(web, "GET", "/")[0] == 200


def test_many_silent_clients_do_not_pile_up_threads_and_a_quick_end_ends_them(web: Web) -> None:
    import threading

    clients = [raw(web) for _ in range(60)]
    try:
        until(lambda: sum("process_request_thread" in thread.name for thread in threading.enumerate()) == 24)
        before = time.monotonic()
        web.stop()
        assert time.monotonic() - before < 2
        until(lambda: not any("process_request_thread" in thread.name for thread in threading.enumerate()))
    finally:
        for client in clients:
            client.close()


def test_a_client_that_trickles_is_ended_in_the_end() -> None:
    web = Web("127.0.0.1", 0, {"/": hello}, connection_seconds=0.5)
    web.start()
    with raw(web) as client:
        client.settimeout(0.2)
        before = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - before < 8:
                client.sendall(b"X")
                with suppress(TimeoutError):
                    if not client.recv(10):
                        break
    assert time.monotonic() - before < 4
    web.stop()


def test_ipv6() -> None:
    web = Web("::1", 0, {"/": hello})
    web.start()
    assert ask(web, "GET", "/")[0] == 200
    assert web.url == f"http://[::1]:{web.address[1]}"
    web.stop()


def test_every_address_of_both_families() -> None:
    web = Web("::", 0, {"/": hello})
    web.start()
    for host in ("::1", "127.0.0.1"):
        with closing(socket.create_connection((host, web.address[1]), timeout=5)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.0 200")
    web.stop()


def test_a_port_that_is_taken_is_told_with_what_to_do(web: Web) -> None:
    with pytest.raises(ColocError) as told:
        Web("127.0.0.1", web.address[1], {})
    assert "listen:" in told.value.hint


def test_a_name_that_does_not_exist_is_told_too() -> None:
    with pytest.raises(ColocError, match="cannot listen"):
        Web("nowhere.invalid", 1, {})


def test_a_server_that_was_never_started_can_be_stopped() -> None:
    Web("127.0.0.1", 0, {}).stop()


def test_clients_that_say_nothing_give_their_places_to_who_comes() -> None:
    web = Web("127.0.0.1", 0, {"/": hello}, connection_seconds=600, read_seconds=600)
    web.start()
    clients = [raw(web) for _ in range(24)]
    try:
        until(lambda: _is_served(web), seconds=60)
    finally:
        web.stop()
        for client in clients:
            client.close()


def _is_served(web: Web) -> bool:
    try:
        return ask(web, "GET", "/")[0] == 200
    except (OSError, http.client.HTTPException):
        return False
