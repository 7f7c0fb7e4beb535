"""Speaks in Matrix rooms: one `m.text` for a message, edits of that event afterwards, lines in its thread (`m.notice`,
or `m.text` for one that rings).

A row keeps its transaction id, so that saying it twice is one event. Decides on status and errcode, never on words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from alerts.channel import Outcome, Sent
from alerts.http import Answer
from alerts.matrix_rooms import Rooms
from alerts.matrix_session import MatrixSession, trouble
from alerts.matrix_tokens import Tokens
from coloc.outbox import Kind, Row
from coloc.secrets import Secret
from coloc.times import now_utc

_LONGEST = 12_000  # bytes as JSON; an event may have 64 KiB with its HTML, and an edit holds both twice
_TXN_KEPT = timedelta(hours=23)  # servers remember a transaction id for a day


class MatrixChannel:
    """One account on one homeserver."""

    name = "matrix"

    def __init__(
        self,
        homeserver: str,
        tokens: Tokens | Secret,
        room: str,
        *,
        allow_encrypted: bool = False,
        others: Sequence[str] = (),
    ) -> None:
        """`others`: more rooms in which we speak, for `check`."""
        tokens = Tokens(tokens) if isinstance(tokens, Secret) else tokens
        self.session = MatrixSession(homeserver, tokens)
        self.rooms = Rooms(self.session, allow_encrypted=allow_encrypted)
        self._spoken_in = tuple(dict.fromkeys([room, *others]))

    def deliver(self, row: Row) -> Outcome:
        """See Channel. The target is a room's id or alias."""
        room = self.rooms.ready(row.target)
        if not isinstance(room, str):
            return room
        if row.attempts and now_utc() - row.created_at > _TXN_KEPT:
            said = self._already_said(room, row)
            if said is not None:
                return said
        answer = self._send(room, row.txn_id, content(row))
        if answer.status == 400 and row.about_remote_id is not None and row.kind is not Kind.NEW:
            # The message that it belongs to is not in this room: it was said in the one that was replaced.
            alone = self._send(room, f"{row.txn_id}-alone", content(replace(row, kind=Kind.NEW)))
            if alone.status == 200 and isinstance(alone.data.get("event_id"), str):
                return Sent(alone.data["event_id"], instead=True)
            answer = alone
        if answer.status == 200 and isinstance(answer.data.get("event_id"), str):
            return Sent(answer.data["event_id"])
        if answer.status == 403 and answer.is_json:
            return self.rooms.refused(room)
        if answer.status == 404:
            self.rooms.forget(room)
        return trouble(answer, row.target)

    def check(self) -> list[str]:
        """See Channel: the token is good, every room is joined, not encrypted, and was not replaced."""
        answer = self.session.ask("GET", "/account/whoami")
        if answer.status != 200:
            return [f"Matrix: {_why(trouble(answer, 'the homeserver'))}"]
        joined = self.session.ask("GET", "/joined_rooms").data.get("joined_rooms")
        known = joined if isinstance(joined, list) else []
        return [problem for target in self._spoken_in if (problem := self._check_room(target, known))]

    def _check_room(self, target: str, joined: Sequence[object]) -> str:
        room, instead = self.rooms.look_on(target)
        if not isinstance(room, str):
            return f"Matrix: {_why(room)}"
        if instead:
            return f"Matrix: {target} was replaced by {instead}; write that one in coloc.yml"
        if room not in joined:
            return f"Matrix: the agent's account is not in {target}; invite it, it accepts by itself within minutes"
        return ""

    def close(self) -> None:
        """See Channel."""
        self.session.close()

    def _send(self, room: str, txn_id: str, body: Mapping[str, Any]) -> Answer:
        path = f"/rooms/{quote(room, safe='')}/send/m.room.message/{quote(txn_id, safe='')}"
        return self.session.ask("PUT", path, body)

    def _already_said(self, room: str, row: Row) -> Outcome | None:
        """The server may have forgotten the transaction id: look for our event before saying it again."""
        answer = self.session.ask("GET", f"/rooms/{quote(room, safe='')}/messages?dir=b&limit=200")
        if answer.status != 200:
            return trouble(answer, row.target)
        chunk = answer.data.get("chunk")
        for event in chunk if isinstance(chunk, list) else []:
            if _key_of(event) == row.key and isinstance(event.get("event_id"), str):
                return Sent(event["event_id"])
        return None


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
