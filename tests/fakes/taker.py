"""A program that takes webhooks: a real HTTP server that keeps what it got and answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Taker:
    """The other side: what it got, and how it answers."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def keys(self) -> list[str]:
        """The Idempotency-Key of each request."""
        return [headers["idempotency-key"] for _, headers, _ in self.got]

    def texts(self) -> list[str]:
        """What each request says; a repeat counts once."""
        return [
            json.loads(body)["text"]
            for body in dict(zip(self.keys(), (each[2] for each in self.got), strict=True)).values()
        ]


@contextmanager
def taking() -> Iterator[Taker]:
    """One at work."""
    taker = Taker()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taker.got.append((self.path, {name.casefold(): value for name, value in self.headers.items()}, body))
            self.send_response(taker.status)
            for name, value in taker.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_OPTIONS(self) -> None:
            self.send_response(405)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    taker.url = f"http://127.0.0.1:{server.server_address[1]}/hook/?key=k"
    yield taker
    server.shutdown()
    server.server_close()
