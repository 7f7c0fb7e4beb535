"""Asks an address after a full round, so that somebody else notices when that ends: the dead man's switch.

The address is a secret and stands in no log, message or metric. A thread of its own asks: a slow answer delays nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from alerts.address import split_address
from coloc.config.heartbeat import Heartbeat
from coloc.secrets import Secret, read_secret
from coloc.times import now_utc

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pings:
    """How it went since the agent began. `awaited_since`: the last ping that arrived, or since when none did."""

    awaited_since: datetime
    arrived: int = 0
    failed: int = 0
    why: str = field(default="", compare=False)


class Pinger:
    """One address, asked when `ping` says so, and not more often than every so many seconds."""

    def __init__(
        self,
        keys: Heartbeat,
        awaited_since: datetime,
        *,
        now: Callable[[], datetime] = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError when the address cannot be read, or would go in clear over the network."""
        self._keys, self._now, self._monotonic = keys, now, monotonic
        self._base, self._path = (Secret(part) for part in split_address(read_secret(keys.ping_file)))
        self._pings = Pings(awaited_since)
        self._tried_at = float("-inf")
        self._due, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pings(self) -> Pings:
        """How it went."""
        return self._pings

    def start(self) -> None:
        """Be ready; also after a stop. Returns at once."""
        self._due, self._stopping = threading.Event(), threading.Event()
        work = partial(self._work, self._due, self._stopping)
        self._thread = threading.Thread(target=work, name="pinger", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is left behind."""
        self._stopping.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(1)

    def ping(self) -> bool:
        """A full round was made; True when the address is asked for it."""
        is_due = self._monotonic() - self._tried_at >= self._keys.every
        if is_due:
            self._tried_at = self._monotonic()
            self._due.set()
        return is_due

    def _work(self, due: threading.Event, stopping: threading.Event) -> None:
        from alerts.http import Http  # noqa: PLC0415 - requests costs memory: only who uses it pays

        http = Http(self._base.reveal(), {"User-Agent": "coloc-agent"})
        while not stopping.is_set():
            due.wait()
            due.clear()
            if not stopping.is_set():
                answer = http.ask(self._keys.method.upper(), self._path.reveal(), at_most=10_000)
                self._settle("" if 200 <= answer.status < 300 else answer.why or f"it answers {answer.status}")
        http.close()

    def _settle(self, why: str) -> None:
        before = self._pings
        if why:
            self._pings = replace(before, failed=before.failed + 1, why=why)
        else:
            self._pings = Pings(self._now(), before.arrived + 1, before.failed)
        if why and not before.why:
            logger.warning("the heartbeat's ping does not arrive", extra={"why": why})
        elif before.why and not why:
            logger.info("the heartbeat's ping arrives again")
