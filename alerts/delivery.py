"""Sends what waits in the outbox: one ordered worker per room, so that a dead one delays nobody else.

The rules, in plain sentences:
* a row is tried until it is sent or refused; a row whose fate is unknown is repeated as it is, with its transaction id;
* waiting between tries goes by the monotonic clock, doubles up to five minutes, and begins anew after a restart;
* what a human must mend (blocked) is tried every five minutes, and holds the rows behind it;
* an edit of a message that was never said is said as a message of its own, and what follows edits that one; a silent
  line for the thread of such a message is dropped: the message itself says as much;
* a row that nobody can read is given up; so is one that fails again and again while another of the same room passes.
  What is given up is logged, told elsewhere (see alerts.elsewhere), and stays in the outbox as refused;
* what a last resort (mail, webhook) said loses its ring in Matrix, see alerts.hushing;
* what waits for a human, or has waited for ten minutes, is told elsewhere at once, and again when it is over;
* when many messages wait that would be new to one room (a burst, an outage), they become one digest with the last word
  of each; the digest row and the end of the rows that it tells are one transaction. A row that was tried already is
  never folded: it may have been heard. What follows a folded message is new again, or part of the next digest.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from alerts.channel import Blocked, Channel, Outcome, Refused, Retry, Sent
from alerts.counts import Counts
from alerts.elsewhere import Elsewhere, Place, tell_over, tell_trouble
from alerts.hushing import hush
from alerts.messages import digest, given_up, titles_of
from coloc import outbox
from coloc.outbox import Kind, Row
from coloc.state import State, connect_again
from coloc.times import now_utc

logger = logging.getLogger(__name__)
_FIRST_WAIT, _LONGEST_WAIT, _BLOCKED_WAIT = 1.0, 300.0, 300.0
_IDLE = 1.0
_FOLD_FROM = 8
_SUSPECT = 12  # tries, half an hour: then the row itself may be what is wrong
_LONG = timedelta(minutes=10)  # a message that waits for so long is trouble that people should know of
_MANY = 4  # tries of that very message: one that waited for others is not in trouble
_CALL_SECONDS = 120.0  # no call of a channel takes so long; beyond it the worker is stuck
_FAR = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


@dataclass(slots=True)
class _Patience:
    """How long a queue waits after its last failure, on the monotonic clock."""

    until: float = 0.0
    wait: float = _FIRST_WAIT

    def fail(self, clock: float, asked: float | None) -> None:
        self.until = clock + (asked if asked is not None else self.wait)
        self.wait = min(self.wait * 2, _LONGEST_WAIT)

    def succeed(self) -> None:
        self.until, self.wait = 0.0, _FIRST_WAIT


class Delivery:
    """The workers, one per (channel, target), begun when something first waits there."""

    def __init__(
        self,
        state_path: Path,
        channels: Mapping[str, Channel],
        *,
        language: str = "fr",
        now: Callable[[], datetime] = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
        idle_seconds: float = _IDLE,
        elsewhere: Elsewhere | None = None,
        patience: Mapping[str, timedelta] = MappingProxyType({}),
    ) -> None:
        """`idle_seconds`: how often the outbox is looked at by somebody whom nobody wakes.

        `elsewhere`: where trouble of a channel is told; None: on the console, when there is one.
        `patience`: which channels are last resorts, and for how long Matrix is silent before they speak.
        """
        self._elsewhere, self.counts = elsewhere or self._console_only, Counts()
        self._idle_seconds, self.patience = idle_seconds, patience
        self._path, self._channels, self._language = state_path, channels, language
        self._now, self._monotonic = now, monotonic
        self._stopping, self._news = threading.Event(), threading.Event()
        self._workers: dict[tuple[str, str], _Worker] = {}
        self._thread = threading.Thread(target=self._watch, name="delivery", daemon=True)
        self._looked_at: float | None = None

    @property
    def moved_at(self) -> float | None:
        """For the watchdog: when the outbox was last looked at, or since when a worker is stuck in a call."""
        clock = self._monotonic()
        calls = [since for worker in list(self._workers.values()) if (since := worker.busy_since) is not None]
        stuck = [since for since in calls if clock - since > _CALL_SECONDS]
        return min([*stuck, self._looked_at]) if self._looked_at is not None else None

    def start(self) -> None:
        """Begin to send; returns at once."""
        self._thread.start()

    def wake(self) -> None:
        """Something new may wait."""
        self._news.set()

    def stop(self) -> None:
        """End within two seconds; what is under way is repeated at the next start with the same transaction id."""
        self._stopping.set()
        self._news.set()
        for worker in self._workers.values():
            worker.wake()
        deadline = time.monotonic() + 2
        for thread in (self._thread, *(worker.thread for worker in self._workers.values())):
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        for channel in self._channels.values():
            channel.close()

    def _watch(self) -> None:
        state = connect_again(self._path)
        while not self._stopping.is_set():
            with suppress(sqlite3.Error):
                for name, target in outbox.queues(state.connection):
                    self._worker(name, target)
                self._looked_at = self._monotonic()
            self._news.wait(self._idle_seconds)
            self._news.clear()
        state.close()

    def _worker(self, name: str, target: str) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return  # switched off in coloc.yml: its rows wait for it to come back
        worker = self._workers.get((name, target))
        if worker is None or not worker.thread.is_alive():  # a full disk may have ended it
            worker = _Worker(self, channel, target)
            self._workers[name, target] = worker
            worker.thread.start()
        worker.wake()

    # What a worker needs of us.

    @property
    def stopping(self) -> bool:
        """True once `stop` was called."""
        return self._stopping.is_set()

    def open(self) -> State:
        """A connection of one's own to the outbox."""
        return connect_again(self._path)

    def clock(self) -> float:
        """The monotonic clock."""
        return self._monotonic()

    def now(self) -> datetime:
        """The wall clock, for what is written down."""
        return self._now()

    def elsewhere(self, channel: str, target: str) -> Sequence[Place]:
        """Where to tell of the trouble of a channel; only places that are there."""
        return [place for place in self._elsewhere(channel, target) if place.channel in self._channels]

    def _console_only(self, channel: str, _target: str) -> Sequence[Place]:
        return [] if channel == "console" else [Place("console", "console", self._language)]

    @property
    def language(self) -> str:
        """The language of digests."""
        return self._language


class _Worker:
    """One queue and its thread."""

    def __init__(self, delivery: Delivery, channel: Channel, target: str) -> None:
        self._delivery, self._channel, self._target = delivery, channel, target
        self._patience = _Patience()
        self._news = threading.Event()
        self._unsettled: tuple[Row, Outcome] | None = None  # how a try ended that could not be written down yet
        self.busy_since: float | None = None  # monotonic: since when the channel has been at work on a row
        self.thread = threading.Thread(target=self._work, name=f"to-{channel.name}", daemon=True)

    def wake(self) -> None:
        self._news.set()

    def _work(self) -> None:
        state = self._delivery.open()
        while not self._delivery.stopping:
            try:
                busy = self._one(state)
            except sqlite3.Error as error:
                logger.warning("the outbox cannot be read", extra={"why": str(error)})
                busy = False
            except Exception:  # one message: the queue goes on, and the log says why
                logger.exception("a message could not be handled", extra={"channel": self._channel.name})
                self._patience.fail(self._delivery.clock(), None)
                busy = False
            if not busy:
                left = self._patience.until - self._delivery.clock()
                self._news.wait(max(0.05, min(left, _LONGEST_WAIT)) if left > 0 else _IDLE)
                self._news.clear()
        state.close()

    def _one(self, state: State) -> bool:
        """Try the first row; False when there is nothing to do now."""
        if self._delivery.clock() < self._patience.until:
            return False
        if self._unsettled is not None:  # a full disk: what was said is not said again for that
            self._settle(state, *self._unsettled)
        self._fold(state)
        try:
            row = outbox.head(state.connection, self._channel.name, self._target, _FAR)
        except outbox.BadRow as error:
            self._give_up(state, error.id, error.key, str(error))
            return True
        if row is None:
            return False
        if row.kind is Kind.REPLY and row.about_remote_id is None and not row.message.rings:
            with state.transaction() as connection:
                outbox.drop(connection, [row.id], why="its message was never said")
            return True
        outcome = self._try(state, row)
        if row.attempts >= _SUSPECT and isinstance(outcome, Retry | Blocked):
            self._try_another(state, row, outcome)
        return isinstance(outcome, Sent | Refused)

    def _try(self, state: State, row: Row) -> Outcome:
        outbox.begin(state.connection, row.id)
        spoken = replace(row, kind=Kind.NEW) if row.kind is not Kind.NEW and row.about_remote_id is None else row
        self.busy_since = self._delivery.clock()
        try:
            outcome = self._channel.deliver(spoken)
        except Exception as error:  # a bug in a channel, met by one message: the others go on, and the log says why
            logger.exception("a message could not be handled", extra={"channel": self._channel.name, "key": row.key})
            outcome = Retry(f"the channel failed: {type(error).__name__}")
        finally:
            self.busy_since = None
        self._unsettled = row, outcome
        self._settle(state, row, outcome)
        return outcome

    def _try_another(self, state: State, row: Row, outcome: Retry | Blocked) -> None:
        """When another message of the room passes, it is the row that is wrong, and not the room."""
        try:
            other = outbox.behind(state.connection, row)
        except outbox.BadRow as error:
            self._give_up(state, error.id, error.key, str(error))
            return
        if other is not None and isinstance(self._try(state, other), Sent):
            self._give_up(state, row.id, row.key, f"others pass and this one does not: {outcome.why}")

    def _give_up(self, state: State, row_id: int, key: str, why: str) -> None:
        logger.error("a message was given up", extra={"channel": self._channel.name, "key": key, "why": why})
        now = self._delivery.now()
        with state.transaction() as connection:
            outbox.settle(connection, row_id, state="refused", now=now, error=why)
            for place in self._places_for_the_dead(key):
                outbox.add(
                    connection,
                    channel=place.channel,
                    target=place.target,
                    kind=Kind.NEW,
                    key=f"given-up:{row_id}:{place.channel}",
                    about=f"given-up:{row_id}:{place.channel}",
                    message=given_up(self._channel.name, key, why, place.language),
                    now=now,
                )
        self._delivery.counts.failed(self._channel.name, "refused")

    def _places(self) -> Sequence[Place]:
        """Where to tell that a channel is in trouble; last resorts hear of it by the rule `messages_waiting`."""
        return [place for place in self._delivery.elsewhere(self._channel.name, self._target) if not place.is_last]

    def _places_for_the_dead(self, key: str) -> Sequence[Place]:
        """Where to tell of a dead letter: everywhere else; of the news of another one only in the journal."""
        places = self._delivery.elsewhere(self._channel.name, self._target)
        return [place for place in places if place.channel == "console" or not key.startswith("given-up:")]

    def _settle(self, state: State, row: Row, outcome: Outcome) -> None:
        now, clock = self._delivery.now(), self._delivery.clock()
        with state.transaction() as connection:
            if isinstance(outcome, Sent):
                outbox.settle(connection, row.id, state="sent", now=now, remote_id=outcome.remote_id or None)
                alone = outcome.instead or (row.kind is not Kind.NEW and row.about_remote_id is None)
                if alone and outcome.remote_id:
                    outbox.name_remotely(connection, row.about, outcome.remote_id)
                if (patience := self._delivery.patience.get(self._channel.name)) is not None:
                    hush(connection, row, self._delivery.language, now - patience)
                if row.attempts:
                    tell_over(connection, row, self._places(), now)
            elif not isinstance(outcome, Refused):
                word = "blocked" if isinstance(outcome, Blocked) else "waiting"
                outbox.settle(connection, row.id, state=word, now=now, error=outcome.why)
                if word == "blocked" or (row.attempts >= _MANY and now - row.created_at >= _LONG):
                    many = outbox.waiting(connection, self._channel.name, self._target)
                    tell_trouble(connection, row, outcome.why, waiting=many, places=self._places(), now=now)
        if isinstance(outcome, Refused):
            self._give_up(state, row.id, row.key, outcome.why)
        self._unsettled = None
        if isinstance(outcome, Sent):
            self._delivery.counts.said(self._channel.name, (now - row.created_at).total_seconds())
            self._patience.succeed()
        if isinstance(outcome, Sent | Refused):
            return
        self._delivery.counts.failed(self._channel.name, "blocked" if isinstance(outcome, Blocked) else "retry")
        details = {"channel": self._channel.name, "key": row.key, "why": outcome.why, "attempt": row.attempts + 1}
        if row.attempts in {0, 4} or row.attempts % 50 == 49:
            logger.warning("a message waits", extra=details)
        asked = outcome.after_seconds if isinstance(outcome, Retry) else _BLOCKED_WAIT
        self._patience.fail(clock, asked)

    def _fold(self, state: State) -> None:
        """Many first messages after an outage become one."""
        if len(outbox.foldable(state.connection, self._channel.name, self._target)) < _FOLD_FROM:
            return
        now = self._delivery.now()
        with state.transaction() as connection:
            # Read again inside: what the agent added since is told as well, not dropped unheard.
            rows = outbox.foldable(connection, self._channel.name, self._target)
            titles = [title for row in rows for title in titles_of(row.message.text)]
            key = f"digest:{self._channel.name}:{self._target}:{rows[-1].id}"
            outbox.fold(connection, [row.id for row in rows], key)
            outbox.add(
                connection,
                channel=self._channel.name,
                target=self._target,
                kind=Kind.NEW,
                key=key,
                about=key,
                message=replace(digest(titles, self._delivery.language), rings=any(row.message.rings for row in rows)),
                now=now,
            )
