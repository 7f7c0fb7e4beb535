"""Why a word about an incident is not said, or not loudly: what page, `status` and `alerts` show beside it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from agent.status import IncidentStatus


def why_quiet(
    incident: IncidentStatus, word: Callable[[str], str], time: Callable[[datetime], str], name: Callable[[str], str]
) -> list[str]:
    """Each reason in a few words. `word` translates ours, `name` makes a name from outside harmless."""
    reasons = [f"{word('taken on by')} {name(incident.acked_by)}"] if incident.acked_by else []
    if incident.resolved_at is not None:
        return reasons
    if incident.silenced_until is not None:
        which = f" ({word('silence')} {incident.silence})" if incident.silence else ""
        which = f" ({word('maintenance')} M{incident.maintenance})" if incident.maintenance else which
        reasons.append(f"{word('in silence until')} {time(incident.silenced_until)}{which}")
    if incident.cause:
        reasons.append(f"{word('follows from')} #{incident.cause}")
    if incident.told_at is not None:
        reasons.append(f"{word('quiet hours, told at')} {time(incident.told_at)}")
    if incident.followers:
        reasons.append(f"{word('what follows from it keeps quiet')}: {incident.followers}")
    return reasons
