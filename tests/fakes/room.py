"""A room on the test homeserver as a person sees it: its messages with edits applied, and what rang."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

from tests.fakes.synapse import Synapse, call


class Room:
    """A room that the bot made and `lea` has joined."""

    def __init__(self, server: Synapse, *, encrypted: bool = False, owner: str = "bot") -> None:
        """`owner` lea: the room is hers, and the bot is invited."""
        self._server = server
        self.bot, self.lea = server.user("bot"), server.user("lea")
        state = [{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}] if encrypted else []
        maker, guest = (self.bot, self.lea) if owner == "bot" else (self.lea, self.bot)
        body = {"name": "test", "invite": [guest["user_id"]], "initial_state": state}
        self.id: str = self._post("createRoom", maker, body)["room_id"]
        if owner == "bot":
            self._post(f"join/{quote(self.id)}", self.lea, {})

    def invite(self, name: str = "bot") -> None:
        """Léa invites somebody."""
        self._post(f"rooms/{quote(self.id)}/invite", self.lea, {"user_id": self._server.user(name)["user_id"]})

    def kick(self) -> None:
        """Léa removes the bot."""
        self._post(f"rooms/{quote(self.id)}/kick", self.lea, {"user_id": self.bot["user_id"]})

    def mute(self) -> None:
        """Only Léa may write."""
        self._put_state("m.room.power_levels", {"events_default": 50})

    def encrypt(self) -> None:
        """Léa turns encryption on."""
        self._put_state("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})

    def upgrade(self) -> str:
        """Léa replaces the room by another; its id."""
        new: str = self._post(f"rooms/{quote(self.id)}/upgrade", self.lea, {"new_version": "11"})["replacement_room"]
        return new

    def _put_state(self, kind: str, body: dict[str, Any]) -> None:
        url = f"{self._server.base_url}/_matrix/client/v3/rooms/{quote(self.id)}/state/{kind}/"
        status, answer = call("PUT", url, body, self.lea["access_token"])
        assert status == 200, (kind, status, answer)

    def say(self, text: str, who: str = "lea", **content: Any) -> str:
        """Somebody writes; the id of the event."""
        return self._send("m.room.message", who, {"msgtype": "m.text", "body": text, **content})

    def answer(self, event: str, text: str, who: str = "lea") -> str:
        """Somebody writes in the thread of an event."""
        relation = {"rel_type": "m.thread", "event_id": event, "is_falling_back": True}
        return self.say(text, who, **{"m.relates_to": relation | {"m.in_reply_to": {"event_id": event}}})

    def react(self, event: str, sign: str, who: str = "lea") -> str:
        """Somebody reacts to an event."""
        relation = {"rel_type": "m.annotation", "event_id": event, "key": sign}
        return self._send("m.reaction", who, {"m.relates_to": relation})

    def take_back(self, event: str, who: str = "lea") -> None:
        """Somebody removes what they sent."""
        self._put(f"redact/{quote(event)}/{secrets.token_hex(8)}", who, {})

    def join(self, who: str) -> None:
        """Somebody accepts an invitation."""
        self._post(f"join/{quote(self.id)}", self._server.user(who), {})

    def _send(self, kind: str, who: str, content: dict[str, Any]) -> str:
        event: str = self._put(f"send/{kind}/{secrets.token_hex(8)}", who, content)["event_id"]
        return event

    def _put(self, path: str, who: str, content: dict[str, Any]) -> dict[str, Any]:
        url = f"{self._server.base_url}/_matrix/client/v3/rooms/{quote(self.id)}/{path}"
        status, answer = call("PUT", url, content, self._server.user(who)["access_token"])
        assert status == 200, (path, status, answer)
        values: dict[str, Any] = answer
        return values

    def _post(self, path: str, who: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        status, answer = call("POST", f"{self._server.base_url}/_matrix/client/v3/{path}", body, who["access_token"])
        assert status == 200, (path, status, answer)
        values: dict[str, Any] = answer
        return values

    def kick_bot(self) -> None:
        """The bot leaves, as if it had been removed."""
        self._post(f"rooms/{quote(self.id)}/leave", self.bot, {})

    def events(self) -> list[dict[str, Any]]:
        """Every message event, oldest first, as Léa gets them."""
        url = f"{self._server.base_url}/_matrix/client/v3/rooms/{quote(self.id)}/messages?dir=b&limit=500"
        found: list[dict[str, Any]] = []
        place: str | None = ""
        while place is not None:
            status, answer = call("GET", url + (f"&from={place}" if place else ""), None, self.lea["access_token"])
            assert status == 200, answer
            found += answer["chunk"]
            place = answer.get("end")
        return [event for event in reversed(found) if event["type"] == "m.room.message"]

    def messages(self) -> list[str]:
        """What stands in the room now: the text of each message that is not an edit, with its last edit."""
        texts: dict[str, str] = {}
        for event in self.events():
            relation = event["content"].get("m.relates_to", {})
            if relation.get("rel_type") == "m.replace":
                texts[relation["event_id"]] = event["content"]["m.new_content"]["body"]
            else:
                texts[event["event_id"]] = event["content"]["body"]
        return list(texts.values())
