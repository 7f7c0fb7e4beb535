"""Something that is asked of another server now and then, in a thread of its own: a slow answer delays nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

logger = logging.getLogger(__name__)


class Errand:
    """Runs `ask` when it is due; what becomes due meanwhile is one more run. `settle` is told why it failed, or ""."""

    def __init__(self, name: str, ask: Callable[[], str], settle: Callable[[str], None]) -> None:
        self._name, self._ask, self._settle = name, ask, settle
        self._due, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Be ready; also after a stop. Returns at once."""
        self._due, self._stopping = threading.Event(), threading.Event()
        work = partial(self._work, self._due, self._stopping)
        self._thread = threading.Thread(target=work, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is left behind."""
        self._stopping.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(1)

    def run_soon(self) -> None:
        """It is due."""
        self._due.set()

    def _work(self, due: threading.Event, stopping: threading.Event) -> None:
        while True:
            due.wait()
            due.clear()
            if stopping.is_set():
                return
            try:
                why = self._ask()
            except Exception as error:  # noqa: BLE001 - a thread that ended would be silent for ever
                # Its words may hold a secret address; its kind does not.
                why = f"a fault of the agent ({type(error).__name__})"
                logger.error("an errand failed", extra={"errand": self._name, "why": why})
            self._settle(why)
