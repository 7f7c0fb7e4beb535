"""A stand-in for a Discourse forum over HTTP: doors, keys, limits, forced faults; `discourse_rules` has the rest.

Faults are forced with `fault(kind)`, or POST /__fault {kind, n}: reset, hang, lost (the answer is lost after the post
was made), html502, html429, html403, read_only, ip_text (429 as plain text), redirect.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.discourse_rules import NOT_FOUND, Forum, Post, Reply, SlowDown, Topic
from tests.fakes.published_schema import answer_schema, filled

HTML = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"
_FORBIDDEN = "You are not permitted to view the requested resource."


@dataclass
class Key:
    """An API key: whose (None: anybody's), and what it may do (None: everything)."""

    user: str | None = None
    scopes: frozenset[str] | None = None  # "read", "write:<topic>", "edit"


class Discourse:
    """The forum and its server on a free port of the loopback."""

    def __init__(self) -> None:
        self.forum = Forum()
        self.keys = {"good-key": Key("coloc-agent")}
        self.faults: list[str] = []  # taken one a request
        self.redirect_to = "http://127.0.0.1:9/elsewhere"
        self.settings, self.posts, self.topics = self.forum.settings, self.forum.posts, self.forum.topics
        self.seen: list[tuple[str, str, dict[str, str]]] = []  # method, path, headers
        self.answers: list[tuple[str, str, Any]] = []  # method, path, the JSON of a 200
        self.lock, self.hang = threading.Lock(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.forum = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.forum.add_topic("lea", "Maintenances de la colocation")
        self.human("Ici on annonce les maintenances de la coloc.")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def later(self) -> float:
        """How many seconds the forum's clock is ahead."""
        return self.forum.later

    @later.setter
    def later(self, seconds: float) -> None:
        self.forum.later = seconds

    def fault(self, kind: str, times: int = 1) -> None:
        """The next requests meet this fault."""
        self.faults += [kind] * times

    def human(self, raw: str, topic: int = 7) -> Post:
        """Somebody else writes in the topic."""
        return self.forum.add_post("lea", self.topics[topic], raw)

    def ours(self) -> list[str]:
        """What stands in our posts now, oldest first."""
        return [post.raw for post in self.posts.values() if post.user == "coloc-agent"]

    def stop(self) -> None:
        """End the server."""
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: Any) -> Reply:
        """The checks in the forum's order: limits, key, scope, read-only, route. Raises SlowDown."""
        user = headers.get("api-username", "")
        key = self.keys.get(headers.get("api-key", ""))
        if key is None or user not in self.forum.users or (key.user is not None and key.user != user):
            words = f"{_FORBIDDEN} The API username or key is invalid."
            return 403, {"errors": [words], "error_type": "invalid_access"}
        self.forum.limit("admin", self.forum.settings["admin_requests_per_minute"], 60)
        if key.scopes is not None and not _scope(method, path, body) & key.scopes:
            return 403, {"errors": [_FORBIDDEN], "error_type": "invalid_access"}
        if self.forum.settings["read_only"] and method != "GET":
            return 503, {"errors": ["The site is in read only mode."], "error_type": "read_only"}
        return self._route(method, path, query, user, body)

    def _route(self, method: str, path: str, query: str, user: str, body: Any) -> Reply:
        if (method, path) == ("POST", "/posts.json"):
            return self.forum.create(user, body)
        parts = path.strip("/").removesuffix(".json").split("/")
        if method == "GET" and parts[:2] == ["t", "external_id"] and len(parts) == 3:
            return self._external(parts[2])
        if not parts[-1].isdigit() and parts[-1] != "posts":
            return NOT_FOUND
        number = int(next((part for part in reversed(parts) if part.isdigit()), "0"))
        match method, parts[0], len(parts):
            case "PUT", "posts", 2:
                return self.forum.edit(user, number, body)
            case "GET", "posts", 2 if number in self.forum.posts:
                values = self.forum.shown(self.forum.posts[number])
                return 200, filled(answer_schema("/posts/{id}.json", "get"), values)
            case "PUT", "t", 3:
                return self.forum.edit_topic(user, number, body)
            case "GET", "t", 2 if number in self.forum.topics:
                return 200, self._topic(self.forum.topics[number])
            case "GET", "t", 3 if number in self.forum.topics:
                wanted = {int(one) for one in parse_qs(query).get("post_ids[]", [])}
                return 200, {"post_stream": {"posts": self._posts(number, wanted)}, "id": number}
        return NOT_FOUND

    def _external(self, name: str) -> Reply:
        for topic in self.forum.topics.values():
            if (topic.external_id or "").casefold() == name.casefold():
                return 301, {"location": f"{self.url}/t/{topic.slug}/{topic.id}.json"}
        return NOT_FOUND

    def _topic(self, topic: Topic) -> dict[str, Any]:
        posts = [post.id for post in self.forum.posts_of(topic.id)]
        values = {
            "id": topic.id,
            "title": topic.title,
            "slug": topic.slug,
            "closed": topic.closed,
            "category_id": topic.category,
            "posts_count": len(posts),
            "chunk_size": 20,
            "post_stream": {"posts": self._posts(topic.id, set(posts[:20])), "stream": posts},
        }
        return filled(answer_schema("/t/{id}.json", "get"), values)

    def _posts(self, topic: int, wanted: set[int]) -> list[dict[str, Any]]:
        """Posts as a topic shows them: without their raw text."""
        stream = answer_schema("/t/{id}.json", "get")["properties"]["post_stream"]["properties"]
        schema = stream["posts"]["items"]
        posts = [post for post in self.forum.posts_of(topic) if post.id in wanted]
        hidden = {"raw", "posts_count"}
        shown = [
            {name: value for name, value in self.forum.shown(post).items() if name not in hidden} for post in posts
        ]
        return [filled(schema, values) for values in shown]


def _scope(method: str, path: str, body: Any) -> set[str]:
    if method == "GET":
        return {"read"}
    return {"edit"} if method == "PUT" else {f"write:{(body or {}).get('topic_id')}"}


class _Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_GET

    def _serve(self) -> None:
        standin: Discourse = self.server.forum  # type: ignore[attr-defined]
        where = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        raw = self.rfile.read(int(headers.get("content-length", "0")))
        with standin.lock:
            standin.seen.append((self.command, where.path, headers))
            if where.path == "/__fault":
                wanted = json.loads(raw)
                standin.faults += [wanted["kind"]] * wanted.get("n", 1)
                self._say(200, {})
                return
            fault = standin.faults.pop(0) if standin.faults else ""
            fault = "" if fault == "read_only" and self.command == "GET" else fault
        if fault and fault != "lost" and self._fault(standin, fault):
            return
        with standin.lock:
            status, answer = self._decide(standin, where.path, where.query, headers, raw)
        if fault == "lost":  # committed, and nobody hears of it
            self._reset()
        elif status == 301:
            self._send(301, b"", "text/html", {"Location": answer["location"]})
        elif status:
            if status == 200:
                standin.answers.append((self.command, where.path, answer))
            self._say(status, answer)

    def _decide(self, standin: Discourse, path: str, query: str, headers: dict[str, str], raw: bytes) -> Reply:
        try:
            standin.forum.limit("ip", standin.forum.settings["ip_requests_per_10_seconds"], 10)
        except SlowDown as slow:
            self._too_fast(slow.seconds)
            return 0, {}
        try:
            return standin.answer(self.command, path, query, headers, json.loads(raw) if raw else None)
        except SlowDown as slow:
            words = {
                "errors": ["Too many times."],
                "error_type": "rate_limit",
                "extras": {"wait_seconds": slow.seconds},
            }
            self._send(429, json.dumps(words).encode(), "application/json", {"Retry-After": str(slow.seconds)})
            return 0, {}

    def _fault(self, standin: Discourse, kind: str) -> bool:
        if kind == "reset":
            self._reset()
        elif kind == "hang":
            standin.hang.wait(60)
            self._reset()
        elif kind == "html502":
            self._send(502, HTML, "text/html")
        elif kind == "html429":
            self._send(429, HTML, "text/html", {"Retry-After": "7"})
        elif kind == "html403":
            self._send(403, HTML, "text/html")
        elif kind == "read_only":
            self._say(503, {"errors": ["The site is in read only mode."], "error_type": "read_only"})
        elif kind == "ip_text":
            self._too_fast(8)
        elif kind == "redirect":
            self._send(302, b"", "text/html", {"Location": standin.redirect_to})
        else:
            raise AssertionError(f"no such fault: {kind}")
        return True

    def _too_fast(self, seconds: int) -> None:
        words = f"Slow down, too many requests from this IP address.\nPlease retry again in {seconds} seconds.\n"
        self._send(429, words.encode(), "text/plain", {"Retry-After": str(seconds)})

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _say(self, status: int, answer: Any) -> None:
        self._send(status, json.dumps(answer).encode(), "application/json; charset=utf-8")

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        with suppress(OSError):
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence: the tests' output is theirs."""


@contextmanager
def running() -> Iterator[tuple[Discourse, str]]:
    """A forum and its address, while the block lasts."""
    server = Discourse()
    try:
        yield server, server.url
    finally:
        server.stop()
