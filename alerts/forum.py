"""Speaks in one topic of a Discourse forum: a post per message, edited afterwards. Never two posts for one message.

The forum has no lasting idempotency: each post bears a hidden marker of the row that made it, and whoever is not sure
looks for it before posting again. What a human wrote into our post stays: only our own block is replaced. A post that
the forum holds back for review is never posted again: we look whether it was approved, for a day.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from alerts.channel import Blocked, Outcome, Refused, Retry, Sent
from alerts.http import Answer, Http
from alerts.plain import no_markup
from alerts.reasons import reason
from coloc.outbox import Kind, Row
from coloc.secrets import Secret
from coloc.times import now_utc

_LONGEST = 12_000  # characters; twice as many when each must be escaped, and a post may have 32 000
_REVIEW = timedelta(days=1)
_LOOK_BACK = 20  # posts
_END = "<!-- /coloc -->"
_BLOCK = re.compile(r"(<!-- coloc:[0-9a-f]{24} -->).*?<!-- /coloc -->", re.DOTALL)


class ForumChannel:
    """One account on one forum, in one topic."""

    name = "forum"

    def __init__(self, url: str, user: str, key: Secret, topic: int) -> None:
        headers = {"Api-Key": key.reveal(), "Api-Username": user, "Accept": "application/json"}
        self._http, self._topic, self._user = Http(url, headers), topic, user
        self._held: set[str] = set()  # keys of rows whose post waits for a moderator

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
            found = self._find(row)
            if not isinstance(found, str):
                return found
            if found:
                return Sent(found)
        if row.key in self._held:
            return _in_review(row)
        body = {"topic_id": int(row.target), "raw": block(row), "auto_track": False}
        answer = self._http.ask("POST", "/posts.json", body)
        if answer.status == 200 and isinstance(answer.data.get("id"), int):
            return Sent(str(answer.data["id"]))
        if answer.status == 200 and answer.data.get("action") == "enqueued":
            self._held.add(row.key)
            return _in_review(row)
        if answer.status == 422:
            return self._refused_post(row)
        return _trouble(answer)

    def _post_instead(self, row: Row) -> Outcome:
        outcome = self._post(row)
        return Sent(outcome.remote_id, instead=True) if isinstance(outcome, Sent) else outcome

    def _refused_post(self, row: Row) -> Outcome:
        """422 has many causes that only words tell apart: ours is already there, the topic is closed, or never."""
        found = self._find(row)
        if not isinstance(found, str):
            return found
        if found:
            return Sent(found)
        topic = self._http.ask("GET", f"/t/{row.target}.json")
        if topic.status != 200:
            return _trouble(topic)
        if topic.data.get("closed") or topic.data.get("archived"):
            return Blocked(
                reason("the topic {topic} is closed; open it, or name another in coloc.yml", topic=row.target)
            )
        if row.attempts < 5:
            # Too many replies in a row, or alike within minutes: both pass by themselves.
            return Retry(reason("the forum does not take the post now"), 180)
        return Refused(reason("the forum refuses the post (422)"))

    def _find(self, row: Row) -> str | Outcome:
        """The id of the post that bears the row's marker among the last ones; "" when there is none."""
        topic = self._http.ask("GET", f"/t/{row.target}.json")
        if topic.status != 200:
            return _trouble(topic)
        last = "&".join(f"post_ids%5B%5D={number}" for number in _last_posts(topic))
        answer = self._http.ask("GET", f"/t/{row.target}/posts.json?{last}") if last else topic
        if answer.status != 200:
            return _trouble(answer)
        for number in reversed(list(_posts_by(self._user, answer))):
            post = self._http.ask("GET", f"/posts/{number}.json")
            if post.status not in {200, 404}:
                return _trouble(post)
            if marker(row.key) in str(post.data.get("raw", "")):
                return str(number)
        return ""

    def _edit(self, row: Row, number: str) -> Outcome:
        now = self._http.ask("GET", f"/posts/{number}.json")
        if now.status == 404:
            return self._post_instead(row)  # somebody deleted it: the news still has to be read
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
            return Retry(reason("somebody is editing our post"), 5)
        if answer.status == 422:
            return self._post_instead(row)  # too old to be edited: a reply says it
        return _trouble(answer)


def marker(key: str) -> str:
    """The comment that marks a post as ours; the forum hides it from readers."""
    return f"<!-- coloc:{hashlib.sha256(key.encode()).hexdigest()[:24]} -->"


def block(row: Row) -> str:
    """Our text between the row's marker and its end; what people write after the end is theirs."""
    return f"{marker(row.key)}\n{_text(row)}\n{_END}"


def replace_block(raw: str, row: Row) -> str:
    """The post with the text of our block replaced and everything else as it is; a new block when it was taken out."""
    if _BLOCK.search(raw):
        return _BLOCK.sub(lambda found: f"{found[1]}\n{_text(row)}\n{_END}", raw, count=1)
    return f"{block(row)}\n\n{raw}"


def _text(row: Row) -> str:
    return "\n\n".join(no_markup(line) for line in row.message.text[:_LONGEST].splitlines())


def _last_posts(topic: Answer) -> list[int]:
    stream = topic.data.get("post_stream")
    numbers = stream.get("stream") if isinstance(stream, dict) else None
    known = [number for number in numbers if isinstance(number, int)] if isinstance(numbers, list) else []
    return known[-_LOOK_BACK:]


def _posts_by(user: str, answer: Answer) -> Iterator[int]:
    stream: Any = answer.data.get("post_stream")
    posts = stream.get("posts") if isinstance(stream, dict) else None
    for post in posts[-_LOOK_BACK:] if isinstance(posts, list) else []:
        if not isinstance(post, dict) or not isinstance(post.get("id"), int):
            continue
        if str(post.get("username", user)).casefold() == user.casefold():
            yield post["id"]


def _in_review(row: Row) -> Outcome:
    if now_utc() - row.created_at > _REVIEW:
        return Refused(reason("the forum held the post back and no moderator approved it within a day"))
    return Blocked(
        reason("the forum holds our posts back for review; a moderator must approve them and trust our account")
    )


def _trouble(answer: Answer) -> Outcome:
    kind = answer.data.get("error_type")
    if answer.is_redirect:
        return Blocked(reason("the forum sends us to another address; write its final one in url: (https?)"))
    if answer.status == 429:
        return Retry(reason("the forum asks us to slow down"), answer.retry_after() or 30)
    if answer.may_pass or kind == "read_only":
        return Retry(answer.why or reason("the forum answers {status}", status=answer.status))
    if answer.status in {401, 403}:
        return Blocked(reason("the forum refuses our key; make a new one for this topic and put it into key_file"))
    if answer.status == 404:
        return Blocked(reason("the topic or the post is gone, or hidden from our account; mend topic: in coloc.yml"))
    return Refused(reason("the forum refuses the message ({status})", status=answer.status))


def _words(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Sent) else outcome.why
