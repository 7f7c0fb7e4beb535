"""Does what may hang on a thread beside the collector's own, one at a time: who hangs is not waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from coloc.errors import ColocError

T = TypeVar("T")


class Aside(Generic[T]):
    """One thing that is done again and again. While it hangs it is not begun a second time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._values: list[T] = []
        self._error: Exception | None = None

    def begin(self, work: Callable[[], T]) -> None:
        """Begin, unless the last one still hangs."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._values, self._error = [], None
        self._thread = threading.Thread(target=self._do, args=(work,), name=f"aside-{self._name}", daemon=True)
        self._thread.start()

    def result(self, seconds: float) -> T:
        """What came out. Raises what `work` raised, or ColocError when it is not done within `seconds`."""
        if self._thread is None:
            raise ColocError(f"{self._name} was not asked", hint="tell the makers of coloc-agent")
        self._thread.join(max(0.0, seconds))
        if self._thread.is_alive():
            raise ColocError(f"{self._name} does not answer", hint="look at its journal, and at the disk below it")
        if self._error is not None:
            raise self._error
        return self._values[0]

    def _do(self, work: Callable[[], T]) -> None:
        try:
            self._values.append(work())
        except Exception as error:  # noqa: BLE001 - it is raised again where the result is asked for
            self._error = error
