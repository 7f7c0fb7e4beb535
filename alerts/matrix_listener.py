"""Listens in our rooms with /sync: what listed people do there is kept for the agent to decide on. Decides nothing.

The place where we left off is kept in the same transaction as what was heard, so that nothing is obeyed twice and
nothing is missed while the agent is down. What was said before the first start is not obeyed.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from alerts.channel import Retry
from alerts.http import Answer
from alerts.matrix_events import KINDS, Batch, Gap, read_batch, read_events
from alerts.matrix_rooms import Rooms
from alerts.matrix_session import MatrixSession
from coloc import heard
from coloc.errors import StateError
from coloc.heard import Did, Heard
from coloc.state import State, connect_again
from coloc.times import now_utc

logger = logging.getLogger(__name__)
_POLL_MS = 10_000  # below the patience of our HTTP
_EVENTS = 20  # of one room in one answer; more is a gap that is filled
_PAGES = 20  # of a gap
_AT_MOST = 8 * 1024 * 1024
_LOOK_AGAIN = 60.0  # seconds between looks for rooms that are closed to us
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_ONE_ANSWER = timedelta(hours=1)  # strangers get one answer a room in so long


class MatrixListener:
    """One thread that listens as one account."""

    def __init__(
        self,
        session: MatrixSession,
        rooms: Rooms,
        state_path: Path,
        *,
        targets: Sequence[str],
        people: frozenset[str],
        wake: Callable[[], None],
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        """`targets`: the rooms to listen in, as coloc.yml calls them. `wake`: something was heard."""
        self._session, self._rooms, self._path = session, rooms, state_path
        self._targets, self._people, self._wake, self._now = tuple(targets), people, wake, now
        self._ids: dict[str, str] = {}  # id → target
        self._looked_at: float | None = None
        self._me = ""
        self._answered: dict[str, datetime] = {}  # room → when a stranger was last let through
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="matrix-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End within a moment; a question under way ends by itself and is not kept."""
        self._stopping.set()
        self._thread.join(1.0)

    def _listen(self) -> None:
        state, wait = connect_again(self._path), _FIRST_WAIT
        while not self._stopping.is_set():
            try:
                pause = self.turn(state)
            except (sqlite3.Error, StateError) as error:
                logger.warning("what was heard cannot be kept", extra={"why": str(error)})
                pause = None
            wait = _FIRST_WAIT if pause == 0 else min(wait * 2, _LONGEST_WAIT)
            self._stopping.wait(wait if pause is None else pause)
        state.close()

    def turn(self, state: State) -> float | None:
        """Ask once. How long to wait before the next turn; None: as patience says."""
        if not self._me:
            answer = self._session.ask("GET", "/account/whoami")
            if not isinstance(answer.data.get("user_id"), str):
                return _pause(answer)
            self._me = answer.data["user_id"]
        if not self._find_rooms():
            return _LOOK_AGAIN
        key = f"matrix_since:{self._me}"
        since = state.get(key)
        answer, batch = self._ask(since)
        if batch is None:
            if answer.status == 400 and since is not None:  # the server forgot the place: begin anew
                logger.warning("the homeserver does not know our place any more; what was said meanwhile is missed")
                with state.transaction() as connection:
                    connection.execute("DELETE FROM meta WHERE key = ?", (key,))
            return _pause(answer)
        missed = self._fill(batch, since) if since is not None else []
        if missed is None:
            return None
        found = [*missed, *batch.heard] if since is not None else []
        self._keep(state, key, since, batch.since, found)
        for room in batch.changed:
            self._rooms.forget(room)
            self._looked_at = None
        return 0

    def _find_rooms(self) -> bool:
        clock = time.monotonic()
        missing = len(self._ids) < len(set(self._targets))
        if self._looked_at is None or (missing and clock - self._looked_at > _LOOK_AGAIN):
            found = {target: self._enter(target) for target in self._targets}
            self._ids = {room: target for target, room in reversed(found.items()) if isinstance(room, str)}
            self._looked_at = clock
        return bool(self._ids)

    def _enter(self, target: str) -> object:
        """The room's id; at once again when we have just accepted an invitation."""
        room = self._rooms.ready(target)
        return self._rooms.ready(target) if isinstance(room, Retry) and room.after_seconds is not None else room

    def _ask(self, since: str | None) -> tuple[Answer, Batch | None]:
        """One /sync; with fewer events when the answer is too large to read."""
        for limit in (_EVENTS, 1):
            words = {"filter": json.dumps(self._filter(limit if since is not None else 1)), "timeout": "0"}
            if since is not None:
                words |= {"since": since, "timeout": str(_POLL_MS)}
            answer = self._session.ask("GET", f"/sync?{urlencode(words)}", at_most=_AT_MOST)
            if answer.status == 200 and answer.is_json:
                try:
                    return answer, read_batch(answer.data, self._ids, self._people, self._now())
                except ValueError as error:
                    logger.warning("the homeserver answers nonsense", extra={"why": str(error)})
                    return answer, None
            if answer.status != 200:
                break
        return answer, None

    def _filter(self, limit: int) -> dict[str, object]:
        nothing: dict[str, object] = {"types": []}
        timeline = {"limit": limit, "types": list(KINDS), "not_senders": [self._me]}
        room = {
            "rooms": sorted(self._ids),
            "timeline": timeline,
            "state": nothing,
            "ephemeral": nothing,
            "account_data": nothing,
        }
        return {"room": room, "presence": nothing, "account_data": nothing}

    def _fill(self, batch: Batch, since: str) -> list[Heard] | None:
        """What a long absence or a busy room left out of the answer, oldest first. None: ask again later."""
        found: list[Heard] = []
        for gap in batch.gaps:
            missed, answer = self._backwards(gap, since)
            if answer is not None and (answer.may_pass or answer.status == 429):
                return None
            if answer is not None:
                logger.warning("some of what was said in a room is missed", extra={"room": gap.room})
            found += reversed(missed)
        return found

    def _backwards(self, gap: Gap, since: str) -> tuple[list[Heard], Answer | None]:
        """The events of a gap, newest first, and the answer at which we had to stop."""
        place, found = gap.before, list[Heard]()
        only = json.dumps({"types": list(KINDS), "not_senders": [self._me]})
        for _ in range(_PAGES):
            words = urlencode({"dir": "b", "from": place, "to": since, "limit": "10", "filter": only})
            answer = self._session.ask("GET", f"/rooms/{quote(gap.room, safe='')}/messages?{words}")
            events, end = answer.data.get("chunk"), answer.data.get("end")
            if answer.status != 200 or not isinstance(events, list):
                return found, answer
            found += read_events(events, self._ids[gap.room], self._people, self._now())
            if not isinstance(end, str) or end in {"", place}:
                return found, None
            place = end
        return found, answer

    def _keep(self, state: State, key: str, since: str | None, after: str, found: Sequence[Heard]) -> None:
        """Move on and keep what was heard, unless another listener (after a reload) has taken our place."""
        kept = [one for one in found if one.sender in self._people or self._may_answer(one)]
        if self._stopping.is_set() or (not kept and since == after):
            return
        with state.transaction() as connection:
            if state.get(key) != since:
                return
            lost = heard.keep(connection, kept)
            state.put(key, after)
        if lost:
            logger.warning("too much is asked of us at once; some of it was dropped", extra={"number": lost})
        if kept:
            self._wake()

    def _may_answer(self, one: Heard) -> bool:
        last, now = self._answered.get(one.room), self._now()
        if one.did is not Did.ASKED or (last is not None and timedelta(0) <= now - last < _ONE_ANSWER):
            return False
        self._answered[one.room] = now
        return True


def _pause(answer: Answer) -> float | None:
    return answer.retry_after() if answer.status == 429 else None
