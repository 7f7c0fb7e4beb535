"""A stand-in for a Discourse forum: its rules for posts, edits, keys and limits, as read in its source. Settable clock.

Faults are forced with `fault(kind)`: reset, hang, lost (the answer is lost after the post was made), html502,
read_only, ip_text (429 as plain text), html429.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SETTINGS: dict[str, int] = {
    "min_post_length": 20,
    "max_post_length": 32000,
    "body_min_entropy": 7,
    "unique_posts_mins": 5,
    "max_consecutive_replies": 3,
    "seconds_between_posts": 0,
    "admin_requests_per_minute": 600,
    "edit_days": 30,
    "approve": 0,
}
_READ_ONLY = {
    "errors": ["The site is in read only mode. Interactions are disabled."],
    "error_type": "read_only",
}
_SLOW = (
    "Slow down, too many requests from this IP address.\nPlease retry again in 8 seconds.\n"
    "Error code: ip_10_secs_limit."
)


@dataclass
class Topic:
    """One topic and the ids of its posts."""

    id: int
    owner: str
    closed: bool = False
    posts: list[int] = field(default_factory=list)


@dataclass
class Post:
    """One post."""

    id: int
    topic_id: int
    number: int
    raw: str
    user: str
    created: float
    version: int = 1


class Refusal(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


class Discourse:
    """The forum's memory and rules."""

    def __init__(self) -> None:
        self.settings = dict(SETTINGS)
        self.keys = {"good-key": "coloc-agent"}
        self.topics = {7: Topic(7, "lea")}
        self.posts: dict[int, Post] = {}
        self.later = 0.0  # how far the forum's clock is ahead
        self.seen_headers: list[dict[str, str]] = []
        self._faults: list[str] = []
        self._memo: dict[str, tuple[float, Any]] = {}
        self._recent: dict[tuple[str, str], tuple[float, int]] = {}
        self._requests: list[float] = []
        self._lock = threading.Lock()
        self.human("Ici on annonce les maintenances de la coloc.")

    def now(self) -> float:
        """The forum's clock."""
        return time.time() + self.later

    def fault(self, kind: str, times: int = 1) -> None:
        """The next requests meet this fault."""
        self._faults += [kind] * times

    def take_fault(self) -> str:
        """The fault of this request, if any."""
        with self._lock:
            return self._faults.pop(0) if self._faults else ""

    def human(self, raw: str, topic: int = 7) -> Post:
        """Somebody else writes in the topic."""
        return self._add(self.topics[topic], raw, "lea")

    def ours(self) -> list[str]:
        """What stands in our posts now, oldest first."""
        return [post.raw for post in self.posts.values() if post.user == "coloc-agent"]

    def answer(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        """One request; raises Refusal. The order of checks is the real one's."""
        with self._lock:
            user = self._who(headers)
            if path == "/posts.json" and method == "POST":
                return self._create(user, body)
            parts = path.strip("/").removesuffix(".json").split("/")
            if parts[0] == "posts" and len(parts) == 2 and parts[1].isdigit():
                post = self.posts.get(int(parts[1]))
                if post is None:
                    raise _not_found()
                return self._edit(user, post, body) if method == "PUT" else self._shown(post)
            if parts[0] == "t" and len(parts) == 2 and parts[1].isdigit() and int(parts[1]) in self.topics:
                return self._topic(self.topics[int(parts[1])])
            raise _not_found()

    def _who(self, headers: dict[str, str]) -> str:
        user = self.keys.get(headers.get("Api-Key", ""))
        if user is None or headers.get("Api-Username") != user:
            words = "You are not permitted to view the requested resource. The API username or key is invalid."
            raise Refusal(403, {"errors": [words], "error_type": "invalid_access"})
        now = self.now()
        self._requests = [moment for moment in self._requests if now - moment < 60] + [now]
        if len(self._requests) > self.settings["admin_requests_per_minute"]:
            raise _too_many(10)
        return user

    def _create(self, user: str, body: dict[str, Any]) -> Any:
        memo = hashlib.sha1(json.dumps([user, body], sort_keys=True).encode()).hexdigest()
        expiry, kept = self._memo.get(memo, (0.0, None))
        if expiry > self.now():
            if isinstance(kept, Refusal):
                raise kept
            return kept
        try:
            answer = self._checked_create(user, body)
        except Refusal as refusal:
            if refusal.status != 429:
                self._memo[memo] = (self.now() + 120, refusal)
            raise
        self._memo[memo] = (self.now() + 120, answer)
        return answer

    def _checked_create(self, user: str, body: dict[str, Any]) -> Any:
        raw, topic = str(body.get("raw", "")), self.topics.get(int(body.get("topic_id", 0)))
        if topic is None or topic.closed:
            words = "Something has gone wrong. Perhaps this topic was closed or deleted while you were looking at it?"
            raise _unprocessable(words)
        self._validate(user, raw, 0)
        tail = [self.posts[number].user for number in topic.posts[-self.settings["max_consecutive_replies"] :]]
        if tail.count(user) == self.settings["max_consecutive_replies"] and topic.owner != user:
            raise _unprocessable("No more than 3 consecutive replies are allowed. Please edit your previous reply.")
        if self.settings["approve"]:
            return {"action": "enqueued", "success": True, "pending_count": 1}
        mine = [post.created for post in self.posts.values() if post.user == user]
        if mine and self.now() - max(mine) < self.settings["seconds_between_posts"]:
            raise _too_many(self.settings["seconds_between_posts"])
        return self._shown(self._add(topic, raw, user))

    def _validate(self, user: str, raw: str, post_id: int) -> None:
        if len(raw) < self.settings["min_post_length"]:
            raise _unprocessable("Body is too short (minimum is 20 characters)")
        if len(raw) > self.settings["max_post_length"]:
            raise _unprocessable("Body is limited to 32000 characters")
        if len(set(raw)) < self.settings["body_min_entropy"] or (raw.isupper() and raw.isalpha()):
            raise _unprocessable("Body seems unclear, is it a complete sentence?")
        until, other = self._recent.get((user, raw), (0.0, 0))
        if until > self.now() and other != post_id:
            raise _unprocessable("Body is too similar to what you recently posted")

    def _add(self, topic: Topic, raw: str, user: str) -> Post:
        post = Post(len(self.posts) + 101, topic.id, len(topic.posts) + 1, raw, user, self.now())
        self.posts[post.id] = post
        topic.posts.append(post.id)
        self._recent[user, raw] = (self.now() + 60 * self.settings["unique_posts_mins"], post.id)
        return post

    def _edit(self, user: str, post: Post, body: dict[str, Any]) -> Any:
        change = body.get("post")
        if not isinstance(change, dict):
            raise Refusal(400, {"errors": ["param is missing or the value is empty: post"]})
        if post.user != user:
            words = "You are not permitted to view the requested resource."
            raise Refusal(403, {"errors": [words], "error_type": "invalid_access"})
        if self.now() - post.created > 86400 * self.settings["edit_days"]:
            words = "That post was created too long ago. It can no longer be edited or deleted."
            raise Refusal(422, {"errors": [words]})
        if "original_text" in change and change["original_text"] != post.raw:
            words = "That post was edited by another user and your changes can no longer be saved."
            raise Refusal(409, {"errors": [words]})
        self._validate(user, str(change.get("raw", "")), post.id)
        post.raw, post.version = str(change["raw"]), post.version + 1
        return {"post": self._shown(post)}

    def _shown(self, post: Post) -> dict[str, Any]:
        return {
            "id": post.id,
            "topic_id": post.topic_id,
            "topic_slug": "maintenance",
            "post_number": post.number,
            "username": post.user,
            "raw": post.raw,
            "version": post.version,
        }

    def _topic(self, topic: Topic) -> dict[str, Any]:
        posts = [self._shown(self.posts[number]) for number in topic.posts]
        shown = [{key: value for key, value in post.items() if key != "raw"} for post in posts]
        stream = {"posts": shown, "stream": list(topic.posts)}
        return {"id": topic.id, "closed": topic.closed, "archived": False, "post_stream": stream}


def _not_found() -> Refusal:
    words = "The requested URL or resource could not be found."
    return Refusal(404, {"errors": [words], "error_type": "not_found"})


def _unprocessable(words: str) -> Refusal:
    return Refusal(422, {"action": "create_post", "errors": [words]})


def _too_many(seconds: int) -> Refusal:
    words = f"You've performed this action too many times. Please wait {seconds} seconds before trying again."
    body = {"errors": [words], "error_type": "rate_limit", "extras": {"wait_seconds": seconds}}
    return Refusal(429, body, {"Retry-After": str(seconds)})


class _Handler(BaseHTTPRequestHandler):
    forum: Discourse
    timeout = 5

    def do_GET(self) -> None:
        self._do()

    do_POST = do_PUT = do_GET

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        self.forum.seen_headers.append(dict(self.headers))
        fault = self.forum.take_fault()
        if fault in {"reset", "hang"}:
            time.sleep(2 if fault == "hang" else 0)
            self.close_connection = True
            return
        if fault == "html502":
            self._send(502, b"<html>bad gateway</html>", "text/html")
        elif fault == "html429":
            self._send(429, b"<html>slow down</html>", "text/html")
        elif fault == "ip_text":
            self._send(429, _SLOW.encode(), "text/plain", {"Retry-After": "8"})
        elif fault == "read_only" and self.command != "GET":
            self._json(503, _READ_ONLY)
        elif fault == "redirect":
            self._send(302, b"", "text/plain", {"Location": "http://127.0.0.1:9/elsewhere"})
        else:
            self._answer(body, lost=fault == "lost")

    def _answer(self, body: dict[str, Any], *, lost: bool) -> None:
        path = urlsplit(self.path).path
        try:
            answer = self.forum.answer(self.command, path, body, dict(self.headers))
        except Refusal as refusal:
            self._json(refusal.status, refusal.body, refusal.headers)
            return
        if lost:
            self.close_connection = True
            return
        self._json(200, answer)

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), "application/json; charset=utf-8", headers)

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[tuple[Discourse, str]]:
    """A forum and its address, while the block lasts."""
    forum = Discourse()
    handler = type("Handler", (_Handler,), {"forum": forum})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield forum, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
