"""Waiting for something without sleeping for luck."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(get: Callable[[], T], *, seconds: float = 10.0, what: str = "it") -> T:
    """Ask again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := get()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.01)
    return answer
