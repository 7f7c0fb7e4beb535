"""The daemon's slow wake-ups, by `schedule`. It reckons in naive local time: armed again when the wall clock jumped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import schedule

from coloc.times import now_utc

logger = logging.getLogger(__name__)
_JUMP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two clocks, so that a test can turn them."""

    now: Callable[[], datetime] = now_utc
    monotonic: Callable[[], float] = time.monotonic


class Rhythm:
    """Calls `hourly` about once an hour. Not for what must not be missed: that is decided by agent.due."""

    def __init__(self, clocks: Clocks, hourly: Callable[[], None]) -> None:
        self._clocks, self._hourly = clocks, hourly
        self.scheduler = schedule.Scheduler()
        self._offset = 0.0
        self.arm()

    def arm(self) -> None:
        """Begin anew from the present time, as after a change of the configuration."""
        self._offset = self._apart()
        self.scheduler.clear()
        self.scheduler.every().hour.do(self._hourly)

    def beat(self) -> None:
        """Run what is due. Summer time moves no clock here: both are in UTC; a clock that was set does."""
        jumped = self._apart() - self._offset
        if abs(jumped) > _JUMP_SECONDS:
            logger.warning("the clock jumped", extra={"seconds": round(jumped)})
            self.arm()
        self.scheduler.run_pending()

    def _apart(self) -> float:
        return self._clocks.now().timestamp() - self._clocks.monotonic()
