"""Asks an address after a full round, so that somebody else notices when that ends: the dead man's switch.

The address is a secret and stands in no log, message or metric.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.errand import Errand
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
        self._base, self._path = (
            Secret(part) for part in split_address(read_secret(keys.ping_file), "heartbeat.ping_file")
        )
        self._pings = Pings(awaited_since)
        self._tried_at = float("-inf")
        self._errand = Errand("pinger", self._ask, self._settle)

    @property
    def pings(self) -> Pings:
        """How it went."""
        return self._pings

    def start(self) -> None:
        """See Errand."""
        self._errand.start()

    def stop(self) -> None:
        """See Errand."""
        self._errand.stop()

    def ping(self) -> bool:
        """A full round was made; True when the address is asked for it."""
        is_due = self._monotonic() - self._tried_at >= self._keys.every
        if is_due:
            self._tried_at = self._monotonic()
            self._errand.run_soon()
        return is_due

    def _ask(self) -> str:
        from alerts.http import Http  # noqa: PLC0415 - requests costs memory: only who uses it pays

        http = Http(self._base.reveal(), {"User-Agent": "coloc-agent"})
        answer = http.ask(self._keys.method.upper(), self._path.reveal(), at_most=10_000)
        http.close()
        return "" if 200 <= answer.status < 300 else answer.why or f"it answers {answer.status}"

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
