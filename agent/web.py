"""The agent's small web server: a fixed list of paths, few connections, short patience. Makes no content itself."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from coloc.errors import ColocError

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 24
_READ_SECONDS = 5.0
_CONNECTION_SECONDS = 15.0  # in all, so that a slow reader cannot keep a place
_TEXT = "text/plain; charset=utf-8"
_ALLOWED = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Request:
    """What a route may look at. Header names are not case-sensitive."""

    path: str
    query: Mapping[str, tuple[str, ...]]
    headers: Message


@dataclass(frozen=True, slots=True)
class Response:
    """What a route answers."""

    body: bytes
    content_type: str = _TEXT
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Request], Response]


class Web:
    """The server in its threads. `routes` is asked at each request, so that a page may be added later."""

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Route],
        *,
        connection_seconds: float = _CONNECTION_SECONDS,
    ) -> None:
        self._server = _listen(host, port, routes)
        self._server.connection_seconds = connection_seconds
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.5,), name="coloc-web", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers; the port is real even when 0 was asked for."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """The address as people type it."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Begin to answer; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end what is still open, within two seconds."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(1.0)
        self._server.server_close()
        self._server.end_older_than(0.0)


def _listen(host: str, port: int, routes: Mapping[str, Route]) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return _Server(family, address, routes)
    except OSError as error:
        raise ColocError(
            f"the agent cannot listen on {host}, port {port}: {error.strerror or error}",
            hint="is another agent running there? set another address with listen: in coloc.yml",
        ) from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    connection_seconds = _CONNECTION_SECONDS

    def __init__(self, family: socket.AddressFamily, address: Any, routes: Mapping[str, Route]) -> None:
        self.address_family = family
        self.routes = routes
        self._open: dict[socket.socket, float] = {}
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking the name server for our name, which may hang."""
        if self.address_family == socket.AF_INET6:
            with suppress(OSError):
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # [::] answers on IPv4 too
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it when too many are open."""
        with self._open_lock:
            is_full = len(self._open) >= _MOST_CONNECTIONS
            if not is_full:
                self._open[request] = time.monotonic()
        if is_full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and give its place back."""
        with self._open_lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called twice a second: end connections that last too long."""
        self.end_older_than(self.connection_seconds)

    def end_older_than(self, seconds: float) -> None:
        """End the connections that were opened longer ago than that; their threads notice at once."""
        limit = time.monotonic() - seconds
        with self._open_lock:
            old = [request for request, since in self._open.items() if since <= limit]
        for request in old:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's
        """A connection that broke is the client's affair; anything else is a bug, and its reader gets nothing."""
        if not isinstance(sys.exception(), OSError):
            logger.error("a page failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _READ_SECONDS
    server_version = "coloc-agent"
    sys_version = ""
    wbufsize = -1  # one packet for headers and body

    def handle_one_request(self) -> None:
        """Like the library's, but any method comes to `_answer`."""
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline(8193)
            if len(self.raw_requestline) > 8192:
                self.requestline = self.request_version = self.command = ""
                self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            elif self.raw_requestline and self.parse_request():
                self._send(self._answer())
            self.wfile.flush()
        except OSError:
            return  # the client went away or was too slow

    def _answer(self) -> Response:
        if self.command not in _ALLOWED:
            allow = {"Allow": ", ".join(_ALLOWED)}
            return Response(b"method not allowed\n", status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
        try:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=100)
        except ValueError:
            return Response(b"bad request\n", status=HTTPStatus.BAD_REQUEST)
        route = self.server.routes.get(parts.path)
        if route is None:
            return Response(b"not found\n", status=HTTPStatus.NOT_FOUND)
        return route(Request(parts.path, {name: tuple(values) for name, values in query.items()}, self.headers))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses of readers are not kept."""
