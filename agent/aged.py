"""Which incidents are told for their age: critical ones that are still there after half an hour. Pure.

They go to the forum, so that the association knows, and ring once more in their room when nobody took them on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from agent.incidents import Incident, Phase, Severity

AFTER = timedelta(minutes=30)
_CLOCK_ERROR = timedelta(hours=1)


def aged(incidents: Iterable[Incident], now: datetime) -> Iterator[Incident]:
    """Those that are critical, go on, and fired long enough ago.

    Fired in the future (the clock was ahead): nobody knows since when, so rather too early than never.
    """
    for incident in incidents:
        if incident.phase is Phase.FIRING and incident.severity is Severity.CRITICAL and incident.fired_at is not None:
            age = now - incident.fired_at
            if age >= AFTER or age < -_CLOCK_ERROR:
                yield incident
