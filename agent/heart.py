"""The heartbeat: when sampler, evaluator and outbox last made a full round, and where a friend can ask for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from agent.status import Status
from agent.web import Request, Response, Route
from coloc.times import iso

_NOT_YET = Response(b"not ready yet\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "15"})


class HasMoved(Protocol):
    """A part that says when it last moved, on the monotonic clock; None while it never did."""

    @property
    def moved_at(self) -> float | None: ...


class Heart:
    """Beats at the end of the daemon's turn when every part has moved since the beat before."""

    def __init__(self, parts: Sequence[HasMoved]) -> None:
        self._parts = parts
        self._last: tuple[datetime, float] | None = None

    def beat(self, now: datetime, clock: float) -> bool:
        """True when the round was a full one."""
        before = self._last[1] if self._last is not None else float("-inf")
        is_full = all(part.moved_at is not None and part.moved_at > before for part in self._parts)
        if is_full:
            self._last = now, clock
        return is_full

    def go_on(self, last: tuple[datetime, float] | None) -> None:
        """Another heart of this very process beat last then."""
        self._last = last

    @property
    def last(self) -> tuple[datetime, float] | None:
        """When the last full round ended, by the wall and by the monotonic clock."""
        return self._last


def heartbeat_route(
    coloc: str, heart: Heart, status: Callable[[], Status | None], *, monotonic: Callable[[], float] = time.monotonic
) -> Route:
    """`/heartbeat`: three figures and a name. `seconds_ago` spares the reader a comparison of two servers' clocks."""

    def route(_: Request) -> Response:
        last, now = heart.last, status()
        if last is None or now is None:
            return _NOT_YET
        is_open = sum(each.phase != "resolved" for each in now.incidents)
        said = {
            "coloc": coloc,
            "at": iso(last[0]),
            "seconds_ago": round(monotonic() - last[1]),
            "incidents": is_open,
        }
        return Response(json.dumps(said).encode(), "application/json", headers={"Cache-Control": "no-store"})

    return route
