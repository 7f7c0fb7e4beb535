"""The pinger of a configuration, its figures, and what of it outlives the daemon: a restart is no good news."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric

from collectors.agent_facts import ping_families
from coloc.config.whole import Config
from coloc.state import State
from coloc.times import iso, parse_iso

if TYPE_CHECKING:
    from agent.pinger import Pinger

_SINCE = "ping_awaited_since"


def pinger_of(config: Config, state: State, now: datetime) -> Pinger | None:
    """Who pings, if anybody. Raises ConfigError when the address cannot be used, StateError."""
    known = state.get(_SINCE)
    if config.heartbeat is None:
        if known:
            state.put(_SINCE, "")  # one that is configured some day is awaited from then on
        return None
    from agent.pinger import Pinger  # noqa: PLC0415 - only who uses it pays

    return Pinger(config.heartbeat, min(parse_iso(known), now) if known else now)


def remember(pinger: Pinger | None, state: State) -> None:
    """Keep since when a ping is awaited. Raises StateError."""
    if pinger is not None:
        state.put(_SINCE, iso(pinger.pings.awaited_since))


def pinger_families(pinger: Pinger | None) -> list[Metric]:
    """The figures, when there are any."""
    if pinger is None:
        return []
    pings = pinger.pings
    return ping_families(pings.awaited_since, pings.arrived, pings.failed)
