"""What the delivery has done since it began, for metrics: messages said and tries that failed, by channel."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

BOUNDS = (0.5, 1.0, 3.0, 5.0, 10.0, 60.0, 300.0, 3600.0)  # seconds from decision to said; the first alert within 3 s
FAILURES = ("retry", "blocked", "refused")


@dataclass(slots=True)
class ChannelCounts:
    """One channel's figures. `within`: how many were said within each of BOUNDS, not cumulated."""

    sent: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    within: Counter[float] = field(default_factory=Counter)
    seconds: float = 0.0


class Counts:
    """The figures of every channel; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channels: dict[str, ChannelCounts] = {}

    def said(self, channel: str, seconds: float) -> None:
        """A message was said so long after it was decided; a clock that was set back counts as no time."""
        waited = max(0.0, seconds)
        with self._lock:
            counts = self._channels.setdefault(channel, ChannelCounts())
            counts.sent += 1
            counts.seconds += waited
            counts.within[next((bound for bound in BOUNDS if waited <= bound), float("inf"))] += 1

    def failed(self, channel: str, how: str) -> None:
        """A try failed: one of FAILURES."""
        with self._lock:
            self._channels.setdefault(channel, ChannelCounts()).failed[how] += 1

    def now(self) -> Mapping[str, ChannelCounts]:
        """A copy of the figures."""
        with self._lock:
            return {
                name: ChannelCounts(one.sent, Counter(one.failed), Counter(one.within), one.seconds)
                for name, one in self._channels.items()
            }
