"""Speaks in Matrix rooms: one `m.text` for a message, edits of that event afterwards, lines in its thread (`m.notice`,
or `m.text` for one that rings).

A row keeps its transaction id, so that saying it twice is one event. Decides on status and errcode, never on words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from alerts.channel import Blocked, Outcome, Refused, Retry, Sent
from alerts.http import Answer, Http
from coloc.outbox import Kind, Row
from coloc.secrets import Secret
from coloc.times import now_utc

_API = "/_matrix/client/v3"
_LONGEST = 12_000  # bytes as JSON; an event may have 64 KiB with its HTML, and an edit holds both twice
_TXN_KEPT = timedelta(hours=23)  # servers remember a transaction id for a day


class MatrixChannel:
    """One account on one homeserver."""

    name = "matrix"

    def __init__(self, homeserver: str, token: Secret, room: str, *, allow_encrypted: bool = False) -> None:
        self._http = Http(homeserver, {"Authorization": f"Bearer {token.reveal()}"})
        self._room, self._allow_encrypted = room, allow_encrypted
        self._ids: dict[str, str] = {}
        self._plain: set[str] = set()

    def deliver(self, row: Row) -> Outcome:
        """See Channel. The target is a room's id or alias."""
        room = self._room_id(row.target)
        if not isinstance(room, str):
            return room
        trouble = self._encryption(room)
        if trouble is not None:
            return trouble
        if row.attempts and now_utc() - row.created_at > _TXN_KEPT:
            said = self._already_said(room, row)
            if said is not None:
                return said
        path = f"{_API}/rooms/{quote(room, safe='')}/send/m.room.message/{quote(row.txn_id, safe='')}"
        answer = self._http.ask("PUT", path, content(row))
        if answer.status == 200 and isinstance(answer.data.get("event_id"), str):
            return Sent(answer.data["event_id"])
        return self._trouble(answer, row.target)

    def check(self) -> list[str]:
        """See Channel: the token is good, the room is joined and not encrypted."""
        answer = self._http.ask("GET", f"{_API}/account/whoami")
        if answer.status != 200:
            return [f"Matrix: {_why(self._trouble(answer, 'the homeserver'))}"]
        room = self._room_id(self._room)
        if not isinstance(room, str):
            return [f"Matrix: {_why(room)}"]
        joined = self._http.ask("GET", f"{_API}/joined_rooms")
        rooms = joined.data.get("joined_rooms")
        if not isinstance(rooms, list) or room not in rooms:
            return [f"Matrix: the agent's account is not in {self._room}; invite it and accept the invitation"]
        trouble = self._encryption(room)
        return [f"Matrix: {_why(trouble)}"] if trouble is not None else []

    def close(self) -> None:
        """See Channel."""
        self._http.close()

    def _room_id(self, target: str) -> str | Outcome:
        if target.startswith("!"):
            return target
        if target not in self._ids:
            answer = self._http.ask("GET", f"{_API}/directory/room/{quote(target, safe='')}")
            found = answer.data.get("room_id")
            if answer.status != 200 or not isinstance(found, str):
                if answer.status == 404:
                    return Blocked(f"there is no room {target}; mend room: in coloc.yml")
                return self._trouble(answer, target)
            self._ids[target] = found
        return self._ids[target]

    def _encryption(self, room: str) -> Outcome | None:
        """An encrypted room takes plain text and shows it with a red warning: ask before speaking."""
        if self._allow_encrypted or room in self._plain:
            return None
        answer = self._http.ask("GET", f"{_API}/rooms/{quote(room, safe='')}/state/m.room.encryption/")
        if answer.status == 404 and answer.data.get("errcode") == "M_NOT_FOUND":
            self._plain.add(room)
            return None
        if answer.status == 200:
            return Blocked(
                f"the room {room} is encrypted and the agent cannot write there; use a room without encryption, "
                "or set allow_encrypted: true to send plain text all the same"
            )
        return self._trouble(answer, room)

    def _already_said(self, room: str, row: Row) -> Outcome | None:
        """The server may have forgotten the transaction id: look for our event before saying it again."""
        answer = self._http.ask("GET", f"{_API}/rooms/{quote(room, safe='')}/messages?dir=b&limit=200")
        if answer.status != 200:
            return self._trouble(answer, row.target)
        chunk = answer.data.get("chunk")
        for event in chunk if isinstance(chunk, list) else []:
            if _key_of(event) == row.key and isinstance(event.get("event_id"), str):
                return Sent(event["event_id"])
        return None

    def _trouble(self, answer: Answer, where: str) -> Outcome:
        code = answer.data.get("errcode")
        if answer.is_redirect:
            return Blocked("the homeserver sends us to another address; write its final one in homeserver: (https?)")
        if answer.status == 429:
            return Retry("the homeserver asks us to slow down", answer.retry_after())
        if answer.may_pass or (answer.status == 404 and code != "M_NOT_FOUND"):
            return Retry(answer.why or f"the homeserver answers {answer.status}")
        if answer.status == 401:
            return Blocked("the access token is refused; make a new one and put it into token_file")
        if answer.status in {403, 404}:
            self._plain.clear()
            return Blocked(
                f"the agent may not write in {where} (was it removed, or the room upgraded?); invite it again"
            )
        if code == "M_DUPLICATE_ANNOTATION":
            return Sent()
        return Refused(f"the homeserver refuses the message: {answer.status} {str(code)[:60]}")


def content(row: Row) -> dict[str, Any]:
    """The event's content. `m.mentions` is always there, so that no text can ring anybody by itself."""
    text, html = _cut(row.message.text), row.message.html
    # A notice rings nobody: that is how a message begins its life during a silence.
    kind = "m.text" if row.message.rings or row.kind is Kind.EDIT else "m.notice"
    body: dict[str, Any] = {"msgtype": kind, "body": text, "m.mentions": {}, "coloc.key": row.key}
    if _json_bytes(html) <= _LONGEST:
        body |= {"format": "org.matrix.custom.html", "formatted_body": html}
    if row.about_remote_id is None or row.kind is Kind.NEW:
        return body
    if row.kind is Kind.REPLY:
        relation = {"rel_type": "m.thread", "event_id": row.about_remote_id, "is_falling_back": True}
        return {
            **body,
            "msgtype": "m.text" if row.message.rings else "m.notice",
            "m.relates_to": relation | {"m.in_reply_to": {"event_id": row.about_remote_id}},
        }
    new = dict(body)
    relation = {"rel_type": "m.replace", "event_id": row.about_remote_id}
    return {**body, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation}


def _key_of(event: object) -> object:
    inner = event.get("content") if isinstance(event, Mapping) else None
    return inner.get("coloc.key") if isinstance(inner, Mapping) else None


def _cut(text: str) -> str:
    if _json_bytes(text) <= _LONGEST:
        return text
    shorter = text[:_LONGEST]
    while _json_bytes(shorter) > _LONGEST:
        shorter = shorter[: len(shorter) * 3 // 4]
    return f"{shorter}… [{len(text) - len(shorter)}]"


def _json_bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))


def _why(outcome: Outcome) -> str:
    return outcome.why if not isinstance(outcome, Sent) else ""
