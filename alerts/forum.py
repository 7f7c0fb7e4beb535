"""Speaks in one topic of a Discourse forum: a post per message, edited afterwards. Never two posts for one message.

The forum has no lasting idempotency: each post bears a hidden marker, and whoever is not sure looks for it before
posting again. What a human wrote into our post stays: only our own block is replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from alerts.channel import Blocked, Outcome, Refused, Retry, Sent
from alerts.http import Answer, Http
from coloc.outbox import Kind, Row
from coloc.secrets import Secret

_LONGEST = 20_000


class ForumChannel:
    """One account on one forum, in one topic."""

    name = "forum"

    def __init__(self, url: str, user: str, key: Secret, topic: int) -> None:
        headers = {"Api-Key": key.reveal(), "Api-Username": user, "Accept": "application/json"}
        self._http, self._topic, self._user = Http(url, headers), topic, user

    def deliver(self, row: Row) -> Outcome:
        """See Channel. The target is the topic's number; a reply is a post like any other."""
        if row.kind is Kind.EDIT and row.about_remote_id:
            return self._edit(row, row.about_remote_id)
        return self._post(row)

    def check(self) -> list[str]:
        """See Channel: the key is good and the topic open."""
        answer = self._http.ask("GET", f"/t/{self._topic}.json")
        if answer.status != 200:
            return [f"Forum: {_words(_trouble(answer))}"]
        if answer.data.get("closed") or answer.data.get("archived"):
            return [f"Forum: the topic {self._topic} is closed; open it, or name another in coloc.yml"]
        return []

    def close(self) -> None:
        """See Channel."""
        self._http.close()

    def _post(self, row: Row) -> Outcome:
        if row.attempts:
            found = self._find(row.key)
            if not isinstance(found, str):
                return found
            if found:
                return Sent(found)
        body = {"topic_id": int(row.target), "raw": block(row), "auto_track": False}
        answer = self._http.ask("POST", "/posts.json", body)
        if answer.status == 200 and isinstance(answer.data.get("id"), int):
            return Sent(str(answer.data["id"]))
        if answer.status == 200 and answer.data.get("action") == "enqueued":
            return Blocked(
                "the forum holds our posts back for review; a moderator must approve them and trust our account"
            )
        if answer.status == 422:
            return self._refused_post(row)
        return _trouble(answer)

    def _refused_post(self, row: Row) -> Outcome:
        """422 has many causes that only words tell apart: ours is already there, the topic is closed, or never."""
        found = self._find(row.key)
        if not isinstance(found, str):
            return found
        if found:
            return Sent(found)
        topic = self._http.ask("GET", f"/t/{self._topic}.json")
        if topic.may_pass or topic.status == 429:
            return _trouble(topic)
        if topic.status == 404 or topic.data.get("closed") or topic.data.get("archived"):
            return Blocked(f"the topic {self._topic} is closed or gone; open it, or name another in coloc.yml")
        if row.attempts < 5:
            # Too many replies in a row, or alike within minutes: both pass by themselves.
            return Retry("the forum does not take the post now", 180)
        return Refused("the forum refuses the post (422)")

    def _find(self, key: str) -> str | Outcome:
        """The id of the post that bears our marker among the last ones; "" when there is none."""
        answer = self._http.ask("GET", f"/t/{self._topic}.json?print=true")
        if answer.status != 200:
            return _trouble(answer)
        for post in reversed(list(_posts(answer))):
            number = post.get("id")
            if post.get("username") not in {None, self._user} or not isinstance(number, int):
                continue
            raw = self._http.ask("GET", f"/posts/{number}.json")
            if raw.may_pass or raw.status == 429:
                return _trouble(raw)
            if marker(key) in str(raw.data.get("raw", "")):
                return str(number)
        return ""

    def _edit(self, row: Row, number: str) -> Outcome:
        now = self._http.ask("GET", f"/posts/{number}.json")
        if now.status == 404:
            return self._post(row)  # somebody deleted it: the news still has to be read
        before = now.data.get("raw")
        if now.status != 200 or not isinstance(before, str):
            return _trouble(now)
        after = replace_block(before, row)
        if after == before:
            return Sent(number)
        change = {"raw": after, "original_text": before, "edit_reason": "coloc-agent"}
        answer = self._http.ask("PUT", f"/posts/{number}.json", {"post": change})
        if answer.status == 200:
            return Sent(number)
        if answer.status == 409:
            return Retry("somebody is editing our post", 5)
        if answer.status == 422:
            return self._post(row)  # too old to be edited: a reply says it
        return _trouble(answer)


def marker(key: str) -> str:
    """The comment that marks a post as ours; the forum hides it from readers."""
    return f"<!-- coloc:{hashlib.sha256(key.encode()).hexdigest()[:24]} -->"


def block(row: Row) -> str:
    """Our text between its marker and its end; what people write after the end is theirs."""
    lines = [_no_markup(line) for line in row.message.text[:_LONGEST].splitlines()]
    text = "\n\n".join(lines).replace("-->", "-- >")
    return f"{marker(row.about or row.key)}\n{text}\n<!-- /coloc -->"


def replace_block(raw: str, row: Row) -> str:
    """The post with our block replaced and everything else as it is; our block first when it was taken out."""
    start = marker(row.about or row.key)
    pattern = re.compile(re.escape(start) + r".*?<!-- /coloc -->", re.DOTALL)
    if pattern.search(raw):
        return pattern.sub(lambda _: block(row), raw, count=1)
    return f"{block(row)}\n\n{raw}"


def _no_markup(line: str) -> str:
    """Names from outside must not become links, mentions or titles."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~@])", r"\\\1", line)


def _posts(answer: Answer) -> Iterator[dict[str, Any]]:
    stream = answer.data.get("post_stream")
    posts = stream.get("posts") if isinstance(stream, dict) else None
    for post in posts[-20:] if isinstance(posts, list) else []:
        if isinstance(post, dict):
            yield post


def _trouble(answer: Answer) -> Outcome:
    kind = answer.data.get("error_type")
    if answer.status == 429:
        return Retry("the forum asks us to slow down", answer.retry_after() or 30)
    if answer.may_pass or kind == "read_only":
        return Retry(answer.why or f"the forum answers {answer.status}")
    if answer.status in {401, 403}:
        return Blocked("the forum refuses our key; make a new one for this topic and put it into key_file")
    if answer.status == 404:
        return Blocked("the topic or the post is gone, or hidden from our account; mend topic: in coloc.yml")
    return Refused(f"the forum refuses the message ({answer.status})")


def _words(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Sent) else outcome.why
