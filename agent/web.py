"""The agent's small web server: a fixed list of paths, few connections, short patience. Makes no content itself."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from agent.door import Door
from coloc.errors import ColocError

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 24
_READ_SECONDS = 5.0
_SILENT_SECONDS = 1.0  # from then on who says nothing gives their place to who comes
_CONNECTION_SECONDS = 15.0  # in all, so that a slow reader cannot keep a place
_MOST_BODY = 1024 * 1024
_FORGET_SECONDS = 0.5  # without a byte of what nobody wants
_TEXT = "text/plain; charset=utf-8"
_ALLOWED = ("GET", "HEAD")
_NOSNIFF = {"X-Content-Type-Options": "nosniff"}


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


class Taker(Protocol):
    """What takes a body, and guards itself: nothing of it is kept before who sends it was let in."""

    def refusal(self, authorization: str) -> Response | None:
        """The answer to who may not come in."""

    def take(self, body: bytes) -> Response:
        """The answer to a whole body."""


class Web:
    """The server in its threads. `routes` is asked at each request, so that a page may be added later."""

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Route],
        *,
        door: Door | None = None,
        beside: Path | None = None,
        unguarded: str = "",
        takers: Mapping[str, Taker] | None = None,
        connection_seconds: float = _CONNECTION_SECONDS,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        """`door`: who may come in. `beside`: a socket file that answers as well, to whoever the file lets in.

        `unguarded`: a folder of paths, such as `/public/`, that ask for no password, since they guard themselves.
        `takers`: what takes a POST at which path, at most a megabyte; they guard themselves too.
        """
        self._server = _listen(host, port, routes, door or Door())
        self._server.unguarded, self._server.takers = unguarded, dict(takers or {})
        self._server.connection_seconds, self._server.read_seconds = connection_seconds, read_seconds
        self._servers, self._beside = [self._server], beside
        if beside is not None:
            try:
                self._servers.append(_listen_beside(beside, routes))
            except ColocError:
                self._server.server_close()
                raise
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.5,), name="coloc-web", daemon=True)
            for server in self._servers
        ]

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers; the port is real even when 0 was asked for."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """The address as people type it."""
        host, port = self.address
        scheme = self._server.door.scheme
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def start(self) -> None:
        """Begin to answer; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop listening and end what is still open, within two seconds."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.is_alive():
                server.shutdown()
                thread.join(1.0)
            server.server_close()
            server.end_older_than(0.0)
        if self._beside is not None:
            self._beside.unlink(missing_ok=True)


def _listen(host: str, port: int, routes: Mapping[str, Route], door: Door) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return _Server(family, address, routes, door)
    except OSError as error:
        raise ColocError(
            f"the agent cannot listen on {host}, port {port}: {error.strerror or error}",
            hint="is another agent running there? set another address with listen: in coloc.yml",
        ) from error


def _listen_beside(path: Path, routes: Mapping[str, Route]) -> _Server:
    """The same for this server's own commands: rights of the file instead of certificate and password."""
    try:
        path.unlink(missing_ok=True)  # of a daemon that was killed; only one works on a state
        server = _Server(socket.AF_UNIX, str(path), routes, Door())
        path.chmod(0o660)
    except OSError as error:
        raise ColocError(
            f"the agent cannot listen on {path}: {error.strerror or error}",
            hint="is paths.state too long, or not ours?",
        ) from error
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    unguarded = ""
    takers: Mapping[str, Taker] = MappingProxyType({})
    connection_seconds = _CONNECTION_SECONDS
    read_seconds = _READ_SECONDS

    def __init__(self, family: socket.AddressFamily, address: Any, routes: Mapping[str, Route], door: Door) -> None:
        self.address_family = family
        self.routes, self.door = routes, door
        self._open: dict[socket.socket, float] = {}
        self._silent: dict[socket.socket, float] = {}  # of those, who has not asked for anything yet; oldest first
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
        self.server_name, self.server_port = "coloc-agent", 0  # the library's, for CGI

    def get_request(self) -> tuple[Any, Any]:
        """A new connection, in TLS if the door asks for it; the handshake is for its own thread."""
        connection, address = super().get_request()
        return self.door.wrap(connection), address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it when too many are open."""
        now = time.monotonic()
        with self._open_lock:
            oldest = next(iter(self._silent), None)
            if len(self._open) >= _MOST_CONNECTIONS and oldest and now - self._silent[oldest] > _SILENT_SECONDS:
                del self._open[oldest], self._silent[oldest]
                with suppress(OSError):
                    socket.socket.shutdown(oldest, socket.SHUT_RDWR)
            is_full = len(self._open) >= _MOST_CONNECTIONS
            if not is_full:
                self._open[request] = self._silent[request] = now
        if is_full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and give its place back."""
        with self._open_lock:
            self._open.pop(request, None)
            self._silent.pop(request, None)
        if isinstance(request, ssl.SSLSocket):
            with suppress(OSError, ValueError):  # say that this was all, and wait for no answer
                request.setblocking(False)
                request.unwrap()
        super().shutdown_request(request)

    def heard(self, request: Any) -> None:
        """A client has asked for something: it is no longer one that says nothing."""
        with self._open_lock:
            self._silent.pop(request, None)

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
                socket.socket.shutdown(request, socket.SHUT_RDWR)  # TLS's own would let its thread go on in clear

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's
        """A connection that broke is the client's affair; anything else is a bug, and its reader gets nothing."""
        if not isinstance(sys.exception(), OSError):
            logger.error("a page failed", exc_info=True)


def _route_of(routes: Mapping[str, Route], path: str) -> Route | None:
    """The route of a path: its own, or that of the folder right above it when this is one of ours, such as `/apps/`."""
    if path in routes:
        return None if path.endswith("/") and path != "/" else routes[path]
    folder = path[: path.rfind("/") + 1]
    return routes.get(folder) if folder not in {"", "/"} else None


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "coloc-agent"
    sys_version = ""
    wbufsize = -1  # one packet for headers and body

    def setup(self) -> None:
        """The handshake comes first, and has no more time than a request."""
        self.request.settimeout(self.server.read_seconds)
        self.server.door.greet(self.request)
        super().setup()

    def handle_one_request(self) -> None:
        """Like the library's, but any method comes to `_answer`."""
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline(8193)
            if len(self.raw_requestline) > 8192:
                self.requestline = self.request_version = self.command = ""
                self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            elif self.raw_requestline and self.parse_request():
                self.server.heard(self.request)
                self._send(self._answer())
            self.wfile.flush()
        except OSError:
            return  # the client went away or was too slow

    def _answer(self) -> Response:
        taker = self.server.takers.get(self.path) if self.command == "POST" else None
        if taker is not None:
            return self._take(taker)
        is_unguarded = bool(self.server.unguarded) and self.path.startswith(self.server.unguarded)
        if not is_unguarded and not self.server.door.admits(self.headers.get("Authorization", "")):
            who = {"WWW-Authenticate": "Basic"}
            return Response(b"unauthorized\n", status=HTTPStatus.UNAUTHORIZED, headers=who)
        if self.command not in _ALLOWED:
            allow = {"Allow": ", ".join(_ALLOWED)}
            return Response(b"method not allowed\n", status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
        try:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=100)
        except ValueError:
            return Response(b"bad request\n", status=HTTPStatus.BAD_REQUEST)
        route = _route_of(self.server.routes, parts.path)
        if route is None:
            return Response(b"not found\n", status=HTTPStatus.NOT_FOUND)
        return route(Request(parts.path, {name: tuple(values) for name, values in query.items()}, self.headers))

    def _take(self, taker: Taker) -> Response:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return Response(b"say how long the body is: Content-Length\n", status=HTTPStatus.LENGTH_REQUIRED)
        if len(length) > len(str(_MOST_BODY)) or int(length) > _MOST_BODY:
            self._forget(2 * _MOST_BODY)
            return Response(b"a megabyte at most\n", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        left = int(length)
        refused = taker.refusal(self.headers.get("Authorization", ""))
        if refused is not None:
            self._forget(left)
            return refused
        body = self.rfile.read(left)
        if len(body) < left:
            return Response(b"the body broke off\n", status=HTTPStatus.BAD_REQUEST)
        return taker.take(body)

    def _forget(self, left: int) -> None:
        """Read so much of a body that nobody wants: who is cut off while sending would not read our answer."""
        self.request.settimeout(_FORGET_SECONDS)
        with suppress(TimeoutError):
            while left > 0 and (piece := self.rfile.read1(min(left, 65_536))):
                left -= len(piece)
        self.request.settimeout(self.server.read_seconds)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        if response.status is not HTTPStatus.NOT_MODIFIED:  # the one that the browser has is told by its own headers
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
        for name, value in {**response.headers, **self.server.door.headers, **_NOSNIFF}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses of readers are not kept."""
