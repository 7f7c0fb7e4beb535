"""`coloc-agent quota release`: a person gives a project everything back for a while; remembered over a restart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from agent.quota_agreements import Agreement
from agent.quotas import Key
from coloc.requests import Request
from coloc.state import State
from coloc.times import iso, parse_iso

_PLACE = "quota_released:"
LONGEST = timedelta(days=30)


def obey(state: State, request: Request, now: datetime) -> bool:
    """Take a request; call it inside a transaction. False for one that names no project or no time."""
    project, seconds = request.values.get("project"), request.values.get("seconds")
    if not isinstance(project, str) or not project or isinstance(seconds, str | bool) or seconds is None:
        return False
    if not math.isfinite(seconds) or seconds < 0:
        return False
    state.put(f"{_PLACE}{project[:80]}", iso(now + timedelta(seconds=min(seconds, LONGEST.total_seconds()))))
    return True


def released(state: State, agreements: Iterable[Agreement]) -> Mapping[Key, datetime]:
    """Until when each limit is not acted on, by a person's word."""
    until = {place.removeprefix(_PLACE): parse_iso(text) for place, text in state.words_below(_PLACE).items()}
    return {each.key: until[each.project] for each in agreements if each.project in until}
