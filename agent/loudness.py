"""How loudly an incident is told now: it rings, it is told quietly, or its word waits. Pure.

The rules, in plain sentences:
* what follows from another open incident waits until that one is over, and a minute more;
* what somebody silenced waits until the silence is over;
* in quiet hours only what is critical and concerns the machine, the data or an app of high service rings; the rest
  waits for the morning, when it is one digest;
* what only informs is told without ringing;
* what waits is told when its time has come if it still holds; what is over by then is in the morning's digest when the
  night was the reason, and is left out when it was silenced or followed from something that was told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from agent.incidents import Finding, Incident, Severity
from agent.rule_spec import Concern


class Loudness(StrEnum):
    """From loud to not at all; the last three are also the reasons why a word waits."""

    RINGS = "rings"
    QUIET = "quiet"
    NIGHT = "night"
    SILENCED = "silenced"
    INHIBITED = "inhibited"

    @property
    def is_heard(self) -> bool:
        """True when it is told now."""
        return self in {Loudness.RINGS, Loudness.QUIET}


def is_night(now: datetime, quiet_hours: str | None, zone: ZoneInfo) -> bool:
    """True within the quiet hours, `22:00-08:00`, by the clock on the wall; equal ends are no night."""
    if quiet_hours is None:
        return False
    begin, end = (time.fromisoformat(part) for part in quiet_hours.split("-"))
    at = now.astimezone(zone).time()
    return begin <= at < end if begin <= end else at >= begin or at < end


def night_ends(now: datetime, quiet_hours: str | None, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours that last now are over, by the clock on the wall; None outside of them."""
    if quiet_hours is None or not is_night(now, quiet_hours, zone):
        return None
    local, end = now.astimezone(zone), time.fromisoformat(quiet_hours.split("-")[1])
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, zone).astimezone(UTC)


def loudness(
    incident: Incident, concern: Concern, service: str, now: datetime, *, night: bool, silenced: bool
) -> Loudness:
    """How loudly `incident` is told now. `service`: the level of the app that it is about, or ""."""
    if incident.cause:
        return Loudness.INHIBITED
    if silenced or incident.silenced(now):
        return Loudness.SILENCED
    if night and not _rings_at_night(incident, concern, service):
        return Loudness.NIGHT
    return Loudness.QUIET if incident.severity is Severity.INFO else Loudness.RINGS


def _rings_at_night(incident: Incident, concern: Concern, service: str) -> bool:
    if incident.severity is not Severity.CRITICAL:
        return False
    return concern in {Concern.MACHINE, Concern.DATA} or (concern is Concern.APP and service == "high")


def by_service(finding: Finding, concern: Concern, service: str) -> Finding:
    """The finding with the severity that the app's level of service gives it: best effort is never critical."""
    if concern is Concern.APP and service == "best_effort" and finding.severity is Severity.CRITICAL:
        return replace(finding, severity=Severity.WARNING)
    return finding
