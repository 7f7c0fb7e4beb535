"""How long a night may work on one host, and how patiently it waits for one that is down. Starts nothing itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from coloc.windows import closes_at

_FIRST, _LONGEST = 60.0, 600.0


@dataclass(frozen=True, slots=True)
class HostTime:
    """The ends of a host's night, by the monotonic clock. What runs is ended when `is_set`; Borg keeps its work."""

    stop: threading.Event
    run_end: float
    run_words: str  # why it is over at `run_end`
    window_end: float | None = None
    window_words: str = ""

    def is_set(self) -> bool:
        """True when what runs must end now: somebody asked, or the window has closed."""
        return self.stop.is_set() or (self.window_end is not None and time.monotonic() >= self.window_end)

    def why_over(self) -> str:
        """Why nothing more may begin; "" while it may."""
        if self.window_end is not None and time.monotonic() >= self.window_end:
            return self.window_words
        return self.run_words if time.monotonic() >= self.run_end else ""

    def remaining(self) -> float:
        """Seconds until the end, at least one: a program is started or it is not."""
        ends = [self.run_end] if self.window_end is None else [self.run_end, self.window_end]
        return max(1.0, min(ends) - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Wait; False when the time is over meanwhile."""
        end = time.monotonic() + seconds
        while not self.is_set() and not self.why_over():
            left = min(end - time.monotonic(), self.remaining())
            if left <= 0:
                return True
            self.stop.wait(left)
        return False


def window_ends(window: str | None, zone: ZoneInfo, now: datetime) -> float | None:
    """When the window closes, on the monotonic clock: at once for one that is closed, None without a window."""
    if window is None:
        return None
    closes = closes_at(window, zone, now)
    return time.monotonic() + ((closes - now).total_seconds() if closes else 0.0)


def waits(patience: float) -> Iterator[float]:
    """The pauses between tries, longer each time, that come to `patience` seconds together. Pure."""
    pause = _FIRST
    while patience > 0:
        yield min(pause, patience)
        patience -= pause
        pause = min(2 * pause, _LONGEST)
