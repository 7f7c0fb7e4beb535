"""Finds the room in which to speak: by alias, after an upgrade, after an invitation, and never an encrypted one.

What was found is remembered until the room refuses us or the listener sees it change.
"""

from __future__ import annotations

from urllib.parse import quote

from alerts.channel import Blocked, Outcome, Retry
from alerts.matrix_session import MatrixSession, trouble
from alerts.reasons import reason

_LONGEST_CHAIN = 10  # rooms that were replaced by rooms that were replaced …


class Rooms:
    """The rooms of one account."""

    def __init__(self, session: MatrixSession, *, allow_encrypted: bool = False) -> None:
        self._session, self._allow_encrypted = session, allow_encrypted
        self._ids: dict[str, str] = {}  # alias → id
        self._instead: dict[str, str] = {}  # a room → the one that replaced it, which we have joined
        self._good: set[str] = set()

    def ready(self, target: str) -> str | Outcome:
        """The id of the room where `target` is now and where we may write; or why not."""
        room = self._find(target)
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(room, str) or room in self._good:
                return room
            if room not in self._instead:
                why_not = self._look(room)
                if why_not is not None:
                    return why_not
            room = self._instead.get(room, room)
        return Blocked(reason("{room} was replaced too many times; write its last room in coloc.yml", room=target))

    def look_on(self, target: str) -> tuple[str | Outcome, str]:
        """For a check, which joins nothing: the room of `target` or why not, and the one that replaced it."""
        room = self._find(target)
        if not isinstance(room, str):
            return room, ""
        new = self._tombstone(room, enter=False)
        if isinstance(new, str):
            return room, new
        why_not = new if new is not None else self._encryption(room, enter=False)
        return (room, "") if why_not is None else (why_not, "")

    def forget(self, room: str) -> None:
        """It changed, or refused us: look again before the next word."""
        self._good.discard(room)
        self._ids.clear()

    def refused(self, room: str) -> Outcome:
        """We may not write there (403): go back in when we were invited, else say what a human must do."""
        self.forget(room)
        joined = self._session.ask("GET", "/joined_rooms")
        rooms = joined.data.get("joined_rooms")
        if joined.status != 200 or not isinstance(rooms, list):
            return trouble(joined, room)
        if room in rooms:
            if self._tombstone(room):
                return Retry(reason("the room was replaced by another"), 0.1)
            return Blocked(
                reason("the agent may not write in {room}; give it the right to send messages there", room=room)
            )
        return self._enter(room)

    def _find(self, target: str) -> str | Outcome:
        if target.startswith("!"):
            return target
        if target not in self._ids:
            answer = self._session.ask("GET", f"/directory/room/{quote(target, safe='')}")
            found = answer.data.get("room_id")
            if answer.status != 200 or not isinstance(found, str):
                if answer.status == 404:
                    return Blocked(reason("there is no room {room}; mend room: in coloc.yml", room=target))
                return trouble(answer, target)
            self._ids[target] = found
        return self._ids[target]

    def _look(self, room: str) -> Outcome | None:
        """Learn whether the room was replaced, then whether it is encrypted. None: all is well, or it was replaced."""
        new = self._tombstone(room)
        if isinstance(new, str):
            why_not = self._join(new)
            if why_not is None:
                self._instead[room] = new
                return None
            if isinstance(why_not, Blocked):
                return Blocked(
                    reason("the room {room} was replaced by {new}; invite the agent there", room=room, new=new)
                )
            return why_not
        return new if new is not None else self._encryption(room)

    def _tombstone(self, room: str, *, enter: bool = True) -> str | Outcome | None:
        answer = self._session.ask("GET", f"/rooms/{quote(room, safe='')}/state/m.room.tombstone/")
        new = answer.data.get("replacement_room")
        if answer.status == 200:
            return new if isinstance(new, str) and new.startswith("!") and len(new) <= 255 else None
        if answer.status == 404 and answer.data.get("errcode") == "M_NOT_FOUND":
            return None
        return self._enter(room) if answer.status == 403 and enter else trouble(answer, room)

    def _encryption(self, room: str, *, enter: bool = True) -> Outcome | None:
        """An encrypted room takes plain text and shows it with a red warning: ask before speaking."""
        if self._allow_encrypted:
            self._good.add(room)
            return None
        answer = self._session.ask("GET", f"/rooms/{quote(room, safe='')}/state/m.room.encryption/")
        if answer.status == 404 and answer.data.get("errcode") == "M_NOT_FOUND":
            self._good.add(room)
            return None
        if answer.status == 200:
            return Blocked(
                reason(
                    "the room {room} is encrypted and the agent cannot write there; use a room without encryption, "
                    "or set allow_encrypted: true to send plain text all the same",
                    room=room,
                )
            )
        return self._enter(room) if answer.status == 403 and enter else trouble(answer, room)

    def _enter(self, room: str) -> Outcome:
        return self._join(room) or Retry(reason("the agent joined the room again"), 0.1)

    def _join(self, room: str) -> Outcome | None:
        """Accept an invitation, or enter an open room. None: we are in."""
        answer = self._session.ask("POST", f"/join/{quote(room, safe='')}", {})
        if answer.status == 200:
            return None
        if answer.may_pass or answer.status in {401, 429}:
            return trouble(answer, room)
        return Blocked(
            reason("the agent is not in the room {room}; invite it, it accepts by itself within minutes", room=room)
        )
