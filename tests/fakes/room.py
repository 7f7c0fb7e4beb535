"""A room on the test homeserver as a person sees it: its messages with edits applied, and what rang."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.fakes.synapse import Synapse, call


class Room:
    """A room that the bot made and `lea` has joined."""

    def __init__(self, server: Synapse, *, encrypted: bool = False) -> None:
        self._server = server
        self.bot, self.lea = server.user("bot"), server.user("lea")
        state = [{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}] if encrypted else []
        body = {"name": "test", "invite": [self.lea["user_id"]], "initial_state": state}
        self.id: str = self._post("createRoom", self.bot, body)["room_id"]
        self._post(f"join/{quote(self.id)}", self.lea, {})

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
        status, answer = call("GET", url, None, self.lea["access_token"])
        assert status == 200, answer
        return [event for event in reversed(answer["chunk"]) if event["type"] == "m.room.message"]

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
