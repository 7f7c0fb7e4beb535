"""Reads what a homeserver tells of rooms: bounded, typed, nothing believed. Pure.

Only people whom coloc.yml lists are heard; of the others only that somebody tried a command, for which they get an
answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coloc.heard import Did, Heard

SIGNS = frozenset({"👀", "🔕"})
KINDS = ("m.reaction", "m.room.redaction", "m.room.message", "m.room.tombstone", "m.room.encryption")
_VARIATION = "\ufe0f"  # some keyboards add it to a sign
_LONGEST_ID, _LONGEST_COMMAND = 255, 200
_OLDEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of a room that the answer left out: those between our last look and `before`."""

    room: str
    before: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One answer of /sync. `changed`: rooms that were replaced or encrypted."""

    since: str
    heard: tuple[Heard, ...]
    gaps: tuple[Gap, ...]
    changed: frozenset[str]


def read_batch(data: Mapping[str, Any], rooms: Mapping[str, str], people: frozenset[str], now: datetime) -> Batch:
    """What an answer of /sync brings of our rooms (id → as coloc.yml calls it). Raises ValueError without a place."""
    since = data.get("next_batch")
    if not _is_id(since, 1000):
        raise ValueError("the answer has no next_batch")
    heard: list[Heard] = []
    gaps: list[Gap] = []
    changed: set[str] = set()
    for room, joined in _dict(_dict(data.get("rooms")).get("join")).items():
        if room not in rooms:
            continue
        timeline = _dict(_dict(joined).get("timeline"))
        events = _list(timeline.get("events"))
        heard += read_events(events, rooms[room], people, now)
        changed |= {room for event in events if _is_change(event)}
        before = timeline.get("prev_batch")
        if timeline.get("limited") is True and isinstance(before, str) and _is_id(before, 1000):
            gaps.append(Gap(room, before))
    return Batch(str(since), tuple(heard), tuple(gaps), frozenset(changed))


def read_events(events: Sequence[object], room: str, people: frozenset[str], now: datetime) -> Iterator[Heard]:
    """The events of a room that somebody may mean for us."""
    for event in events:
        found = _read(_dict(event), room, now)
        if found is not None and (found.sender in people or found.did is Did.ASKED):
            yield found


def command_line(body: str) -> str | None:
    """The command of a message: the first line that is not quoted, when it begins with `!` and a letter."""
    for line in body[:20_000].split("\n"):
        words = " ".join(line.split())
        if not words or words.startswith(">"):
            continue
        is_command = len(words) > 1 and words[0] == "!" and words[1].isalpha()
        return words[:_LONGEST_COMMAND] if is_command else None
    return None


def _read(event: Mapping[str, Any], room: str, now: datetime) -> Heard | None:
    name, sender, content = event.get("event_id"), event.get("sender"), _dict(event.get("content"))
    if not (isinstance(name, str) and isinstance(sender, str) and _is_id(name) and _is_id(sender)):
        return None
    relation = _dict(content.get("m.relates_to"))
    at = _moment(event.get("origin_server_ts"), now)
    kind = event.get("type")
    if kind == "m.reaction" and relation.get("rel_type") == "m.annotation":
        sign, about = str(relation.get("key", ""))[:8].replace(_VARIATION, ""), relation.get("event_id")
        return Heard(name, room, sender, Did.REACTED, str(about), sign, at) if sign in SIGNS and _is_id(about) else None
    if kind == "m.room.redaction":
        about = content.get("redacts", event.get("redacts"))
        return Heard(name, room, sender, Did.TOOK_BACK, str(about), "", at) if _is_id(about) else None
    if kind == "m.room.message" and content.get("msgtype") == "m.text" and relation.get("rel_type") != "m.replace":
        line = command_line(content["body"]) if isinstance(content.get("body"), str) else None
        return None if line is None else Heard(name, room, sender, Did.ASKED, _meant(relation), line, at)
    return None


def _meant(relation: Mapping[str, Any]) -> str:
    """The message that a command is about: the root of its thread, else what it answers."""
    root = relation.get("event_id") if relation.get("rel_type") == "m.thread" else None
    about = root if root is not None else _dict(relation.get("m.in_reply_to")).get("event_id")
    return about if isinstance(about, str) and _is_id(about) else ""


def _moment(stamp: object, now: datetime) -> datetime:
    """When it was sent, as its server says; never in the future, never before a month ago."""
    if isinstance(stamp, bool) or not isinstance(stamp, int) or not 0 <= stamp < 2**53:
        return now
    try:
        sent = datetime.fromtimestamp(stamp / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return now
    return min(max(sent, now - _OLDEST), now)


def _is_change(event: object) -> bool:
    return _dict(event).get("type") in ("m.room.tombstone", "m.room.encryption")


def _is_id(value: object, longest: int = _LONGEST_ID) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []
