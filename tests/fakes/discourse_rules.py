"""What a Discourse forum accepts and refuses: posts, topics, repeats. No HTTP, a settable clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.published_schema import answer_schema, filled

Reply = tuple[int, dict[str, Any]]
DEFAULTS: Mapping[str, Any] = {
    "min_first_post_length": 20,
    "min_post_length": 20,
    "min_topic_title_length": 15,
    "max_post_length": 32000,
    "max_topic_title_length": 255,
    "body_min_entropy": 7,
    "title_min_entropy": 10,
    "unique_posts_mins": 5,
    "max_consecutive_replies": 3,
    "max_edits_per_day": 30,
    "editing_grace_period": 300,
    "edit_minutes": {0: 1440, 1: 1440, 2: 43200, 3: 43200, 4: 43200},
    "seconds_between_posts": 0,  # 5 in a real forum; tests ask for it
    "seconds_between_topics": 0,  # 15
    "admin_requests_per_minute": 60,
    "ip_requests_per_10_seconds": 50,
    "approve": False,
    "read_only": False,
}
MEMO_SECONDS = 120


class SlowDown(Exception):
    """429: too often; `seconds` to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


@dataclass
class User:
    id: int
    trust_level: int = 1
    staff: bool = False


@dataclass
class Topic:
    id: int
    title: str
    category: int
    user: str
    bumped_at: datetime
    external_id: str | None = None
    closed: bool = False
    tags: list[str] = field(default_factory=list)
    slug: str = "topic"


@dataclass
class Post:
    id: int
    topic_id: int
    number: int
    raw: str
    user: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    wiki: bool = False


class Forum:
    """The state of one forum, and its rules."""

    def __init__(self) -> None:
        self.later = 0.0  # seconds that the forum's clock is ahead
        self.settings: dict[str, Any] = dict(DEFAULTS)
        self.users = {"coloc-agent": User(2, trust_level=2), "lea": User(3, trust_level=2), "admin": User(1, 4, True)}
        self.categories = {7: "Colocation"}
        self.topics: dict[int, Topic] = {}
        self.posts: dict[int, Post] = {}
        self._memo: dict[str, tuple[datetime, Reply]] = {}
        self._recent: dict[tuple[str, str], datetime] = {}
        self._times: dict[str, list[datetime]] = {}
        self.pending = 0

    @property
    def now(self) -> datetime:
        """The forum's clock."""
        return datetime.now(UTC) + timedelta(seconds=self.later)

    def limit(self, name: str, count: int, seconds: int) -> None:
        """Count one use. Raises SlowDown when it is one too many."""
        times = [moment for moment in self._times.get(name, []) if self.now - moment < timedelta(seconds=seconds)]
        if count and len(times) >= count:
            raise SlowDown(max(1, seconds - int((self.now - times[0]).total_seconds())))
        self._times[name] = [*times, self.now]

    def posts_of(self, topic: int) -> list[Post]:
        """A topic's posts in their order."""
        return [post for post in self.posts.values() if post.topic_id == topic]

    def create(self, user: str, body: dict[str, Any]) -> Reply:
        """POST /posts.json."""
        if not str(body.get("raw", "")).strip():
            return 422, {"action": "create_post", "errors": ["Body can't be blank"]}
        memo = hashlib.sha1(json.dumps([user, body], sort_keys=True).encode()).hexdigest()
        known = self._memo.get(memo)
        if known and self.now < known[0]:
            return known[1]
        reply = self._create(user, body)
        self._memo[memo] = self.now + timedelta(seconds=MEMO_SECONDS), reply
        return reply

    def _create(self, user: str, body: dict[str, Any]) -> Reply:
        topic_id, raw = body.get("topic_id"), str(body["raw"]).strip()
        topic = self.topics.get(int(topic_id)) if topic_id is not None else None
        errors = []
        if topic_id is not None and (topic is None or topic.closed):
            errors.append("Something has gone wrong. Perhaps this topic was closed or deleted?")
        errors += self._topic_errors(body) if topic_id is None else []
        errors += self._raw_errors(user, raw, first=topic_id is None)
        if topic and self._consecutive(user, topic) and not self.users[user].staff:
            errors.append("No more than 3 consecutive replies are allowed.")
        if errors:
            return 422, {"action": "create_post", "errors": errors}
        if self.settings["approve"]:
            self.pending += 1
            return 200, {"action": "enqueued", "success": True, "pending_count": self.pending}
        if not self.users[user].staff:
            kind = "posts" if topic else "topics"
            self.limit(
                f"{kind}:{user}", 1 if self.settings[f"seconds_between_{kind}"] else 0, 15 if topic is None else 5
            )
        if topic is None:
            topic = self.add_topic(user, str(body["title"]), body.get("external_id"), int(body["category"]))
        post = self.add_post(user, topic, raw)
        return 200, filled(answer_schema("/posts.json", "post"), self.shown(post))

    def add_topic(self, user: str, title: str, external_id: str | None = None, category: int = 7) -> Topic:
        """A topic without its first post, past every rule."""
        topic = Topic(len(self.topics) + 7, title, category, user, self.now, external_id)
        self.topics[topic.id] = topic
        return topic

    def add_post(self, user: str, topic: Topic, raw: str) -> Post:
        """A post past every rule: what somebody else wrote."""
        post = Post(
            max(self.posts, default=100) + 1, topic.id, len(self.posts_of(topic.id)) + 1, raw, user, self.now, self.now
        )
        self.posts[post.id] = post
        topic.bumped_at = self.now
        self._recent[user, raw] = self.now + timedelta(minutes=self.settings["unique_posts_mins"])
        return post

    def edit(self, user: str, number: int, body: dict[str, Any]) -> Reply:
        """PUT /posts/{id}.json."""
        change, post = body.get("post"), self.posts.get(number)
        if not isinstance(change, dict):
            return 400, {"errors": ["param is missing or the value is empty: post"]}
        if post is None:
            return NOT_FOUND
        who = self.users[user]
        if post.user != user and not who.staff and not post.wiki:
            return 403, {"errors": ["You are not permitted."], "error_type": "invalid_access"}
        oldest = self.now - timedelta(minutes=self.settings["edit_minutes"][who.trust_level])
        if post.created_at < oldest and not who.staff and not post.wiki:
            return 422, {"errors": ["That post was created too long ago."]}
        if change.get("original_text", post.raw) != post.raw:
            return 409, {"errors": ["That post was edited by another user."]}
        raw = str(change.get("raw", "")).strip()
        errors = self._raw_errors(user, raw, first=post.number == 1, of=post)
        if errors:
            return 422, {"errors": errors}
        if not who.staff:
            self.limit(
                f"edits:{user}", int(self.settings["max_edits_per_day"] * (1.5 if who.trust_level == 2 else 1)), 86400
            )
        grace = timedelta(seconds=self.settings["editing_grace_period"])
        if self.now - post.updated_at > grace or abs(len(raw) - len(post.raw)) > 100:
            post.version += 1
        post.raw, post.updated_at = raw, self.now
        if post is self.posts_of(post.topic_id)[-1]:
            self.topics[post.topic_id].bumped_at = self.now
        inner = answer_schema("/posts/{id}.json", "put")["properties"]["post"]
        return 200, {"post": filled(inner, self.shown(post))}

    def edit_topic(self, user: str, number: int, body: dict[str, Any]) -> Reply:
        """PUT /t/-/{id}.json, its fields at top level."""
        topic = self.topics.get(number)
        if topic is None:
            return NOT_FOUND
        if topic.user != user and not self.users[user].staff:
            return 403, {"errors": ["You are not permitted."], "error_type": "invalid_access"}
        if body.get("original_title", topic.title) != topic.title:
            return 409, {"errors": ["That topic was edited by another user."]}
        topic.title, topic.tags = str(body.get("title", topic.title)), list(body.get("tags", topic.tags))
        topic.category = int(body.get("category_id", topic.category))
        basic = {"id": topic.id, "title": topic.title, "fancy_title": topic.title, "slug": topic.slug}
        return 200, {"basic_topic": basic | {"posts_count": len(self.posts_of(number))}}

    def shown(self, post: Post) -> dict[str, Any]:
        """What every answer says of a post. Comments stay in `raw` and are not in `cooked`."""
        topic = self.topics[post.topic_id]
        return {
            "id": post.id,
            "username": post.user,
            "user_id": self.users[post.user].id,
            "raw": post.raw,
            "cooked": re.sub(r"<!--.*?-->", "", post.raw),
            "post_number": post.number,
            "topic_id": topic.id,
            "topic_slug": topic.slug,
            "version": post.version,
            "posts_count": len(self.posts_of(topic.id)),
            "created_at": post.created_at.isoformat(),
            "updated_at": post.updated_at.isoformat(),
        }

    def _topic_errors(self, body: dict[str, Any]) -> list[str]:
        title, known = str(body.get("title", "")), self.topics.values()
        external = body.get("external_id")
        rules = {
            "Title is too short": len(title) < self.settings["min_topic_title_length"],
            "Title is too long": len(title) > self.settings["max_topic_title_length"],
            "Title seems unclear": len(set(title)) < self.settings["title_min_entropy"] or title.isupper(),
            "Title has already been used": title.casefold() in {topic.title.casefold() for topic in known},
            "Category can't be blank": body.get("category") not in self.categories,
            "External id is wrong": external is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", str(external)),
            "External id is taken": external is not None
            and str(external).casefold() in {(topic.external_id or "").casefold() for topic in known},
        }
        return [words for words, broken in rules.items() if broken]

    def _raw_errors(self, user: str, raw: str, *, first: bool, of: Post | None = None) -> list[str]:
        shortest = self.settings["min_first_post_length" if first else "min_post_length"]
        repeated = self._recent.get((user, raw), self.now) > self.now and (of is None or of.raw != raw)
        rules = {
            f"Body is too short (minimum is {shortest} characters)": len(raw) < shortest,
            "Body is too long": len(raw) > self.settings["max_post_length"],
            "Body seems unclear": len(set(raw)) < self.settings["body_min_entropy"] or raw.isupper(),
            "Body is too similar to what you recently posted": repeated and not self.users[user].staff,
        }
        return [words for words, broken in rules.items() if broken]

    def _consecutive(self, user: str, topic: Topic) -> bool:
        posts, many = self.posts_of(topic.id), self.settings["max_consecutive_replies"]
        by_author = bool(posts) and posts[0].user == user
        return not by_author and len(posts) >= many and all(post.user == user for post in posts[-many:])


NOT_FOUND: Reply = (404, {"errors": ["The requested URL or resource could not be found."], "error_type": "not_found"})
