"""Brings what is held to what shall be: a thread that asks the helper, so that a slow answer delays no alert.

Each tick of the daemon says what shall be; what is, only the helper knows, and it is asked again after every start:
whichever of the two was killed, and wherever, the next round brings both together. It asks only for what is enforced.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.enforcement import Around, Order, Verdict, orders, verdict
from agent.quota_agreements import Agreement
from agent.quotas import Key, Standing
from coloc.errors import ColocError
from coloc.helper_client import Asks
from coloc.verbs import Answer, Ask, by_key

logger = logging.getLogger(__name__)
_LOOK_SECONDS = 60.0  # what is held is read again, should somebody else have changed it
_MOVE_SECONDS = 5.0  # php workers that were born outside
_AGAIN_SECONDS = 300.0  # what was refused is asked for again
_MOVED_BY = frozenset({"cpu", "memory", "processes", "io"})


@dataclass(frozen=True, slots=True)
class Enforced:
    """What is held, what shall be, and what is wrong between them. `asked`: False before the helper ever answered."""

    answer: Answer = field(default_factory=Answer)
    verdicts: tuple[Verdict, ...] = ()
    asked: bool = False
    trouble: str = ""
    refused: Mapping[Key, str] = field(default_factory=dict)


class Enforcing:
    """The thread, and what it found last."""

    def __init__(self, ask: Asks) -> None:
        self._ask = ask
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._stopping = False
        self._seen = Enforced()
        self._orders: list[Order] = []
        self._not_before: dict[tuple[str, Key], float] = {}
        self._refused: dict[Key, str] = {}
        self._is_needed = False
        self._looked_at = self._moved_at = float("-inf")
        self._thread: threading.Thread | None = None

    def want(
        self, agreements: Iterable[Agreement], standings: Iterable[Standing], around: Around, now: datetime
    ) -> Enforced:
        """Say what shall be; returns at once, with what is known."""
        found = self.decide(agreements, standings, around, now)
        if self._orders or self._is_needed:
            self._begin()
        return found

    def decide(
        self, agreements: Iterable[Agreement], standings: Iterable[Standing], around: Around, now: datetime
    ) -> Enforced:
        """The same without a thread: what `round` will then do."""
        agreed, known = list(agreements), {each.key: each for each in standings}
        self._is_needed = any(each.enforced for each in agreed)
        with self._lock:
            seen = self._seen
        held = by_key(seen.answer.held)
        around = replace(around, cannot=seen.answer.cannot, confirmed=frozenset(seen.answer.confirmed))
        verdicts = tuple(
            verdict(each, known[each.key], held.get(each.key), around, now) for each in agreed if each.key in known
        )
        todo = orders(verdicts, known, held) if seen.asked else []
        with self._lock:
            self._orders = todo
            self._seen = replace(self._seen, verdicts=verdicts)
        return replace(seen, verdicts=verdicts)

    def stop(self) -> None:
        """End within the time of one request. What is held stays held: the next start takes it over."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _begin(self) -> None:
        self._wake.set()
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="enforcing", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(_MOVE_SECONDS)
            self._wake.clear()
            if not self._stopping:
                self.round(time.monotonic())

    def round(self, clock: float) -> None:
        """Give the orders that wait, look when it is time, move workers. Public for tests: no thread is needed."""
        with self._lock:
            todo, seen = list(self._orders), self._seen
        try:
            for order in todo:
                if self._not_before.get((order.verb, order.key), clock) <= clock:
                    seen = self._take(order, clock)
            if self._is_needed and (todo or clock - self._looked_at >= _LOOK_SECONDS):
                seen = self._found(self._ask(Ask("read")))
                self._looked_at = clock
            if clock - self._moved_at >= _MOVE_SECONDS:
                self._moved_at = clock
                for project in sorted({each.project for each in seen.answer.held if each.resource in _MOVED_BY}):
                    self._ask(Ask("move", project))
        except ColocError as error:
            self._looked_at = clock
            if error.sentence() != seen.trouble:
                logger.warning("quotas cannot be enforced", extra={"why": error.sentence()})
            with self._lock:
                self._seen = replace(self._seen, trouble=error.sentence())

    def _take(self, order: Order, clock: float) -> Enforced:
        project, app, resource = order.key
        if order.verb == "hold":
            answer = self._ask(Ask("hold", project, app, resource, str(order.step), order.used))
        else:
            answer = self._ask(Ask("release", project, app, resource))
        words = {"project": project, "app": app, "resource": resource, "step": str(order.step)}
        if answer.why:
            self._not_before[order.verb, order.key] = clock + _AGAIN_SECONDS
            self._refused[order.key] = answer.why
            logger.warning("a step of a quota was refused", extra=words | {"why": answer.why})
        else:
            self._not_before.pop((order.verb, order.key), None)
            self._refused.pop(order.key, None)
            logger.info("a step of a quota was taken", extra=words | {"verb": order.verb})
        return self._found(answer)

    def _found(self, answer: Answer) -> Enforced:
        with self._lock:
            self._seen = replace(self._seen, answer=answer, asked=True, trouble="", refused=dict(self._refused))
            self._orders = []
            return self._seen
