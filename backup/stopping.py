"""INT and TERM become an event, so that a run ends in order: Borg keeps what was sent. Main thread only."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """INT and TERM set `stop` during the block, so that the run ends in order. Main thread only."""

    def ask(number: int, _: FrameType | None) -> None:
        logger.warning("asked to stop", extra={"signal": number})
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
