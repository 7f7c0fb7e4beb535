"""The quota ladder, as a decision only: what would be done to a project that uses more than was agreed.

The rules, in plain sentences:
* nothing happens up to `soft`; above it the project is warned, at once;
* above `hard`, a project that has been warned for `grace` is throttled; throttled for `grace` more, it is bounded;
* one step at a time, never two in one decision;
* whoever falls below 80 % of `soft` is back at the beginning, whatever the step;
* between these marks nothing changes, so that a use that wavers around a limit does not make us waver;
* without a measure nothing changes.
`allow` says how far the project agreed to go; the step that would come next is still told, as a simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from coloc.config.values import Limit

RELEASE = 0.8


class QuotaStep(StrEnum):
    """The steps of the ladder, in their order."""

    FINE = "fine"
    WARN = "warn"
    THROTTLE = "throttle"
    HARD = "hard"


_UP = {QuotaStep.FINE: QuotaStep.WARN, QuotaStep.WARN: QuotaStep.THROTTLE, QuotaStep.THROTTLE: QuotaStep.HARD}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a project stands on one resource, and since when."""

    project: str
    resource: str
    step: QuotaStep
    since: datetime
    used: float | None = None
    would_have_acted: int = 0  # how often enforcement would have done something: the simulation's count


def next_standing(standing: Standing, limit: Limit, used: float | None, grace: timedelta, now: datetime) -> Standing:
    """Where the project should stand at `now`, one step away at most from where it stood."""
    step = standing.step if used is None else _step(standing, limit, used, grace, now)
    if step is standing.step:
        since = min(standing.since, now)  # a clock that was set back does not lengthen the grace
        return Standing(standing.project, standing.resource, step, since, used, standing.would_have_acted)
    acts = step in {QuotaStep.THROTTLE, QuotaStep.HARD}
    return Standing(standing.project, standing.resource, step, now, used, standing.would_have_acted + acts)


def _step(standing: Standing, limit: Limit, used: float, grace: timedelta, now: datetime) -> QuotaStep:
    if used < RELEASE * limit.soft:
        return QuotaStep.FINE
    if standing.step is QuotaStep.FINE:
        return QuotaStep.WARN if used > limit.soft else QuotaStep.FINE
    if used > limit.hard and now - standing.since >= grace and standing.step in _UP:
        return _UP[standing.step]
    return standing.step


def would_do(standing: Standing) -> str:
    """What enforcement would do at this step, as a word of the glossary for `quota` and the page (English)."""
    if standing.step is QuotaStep.FINE:
        return "nothing"
    if standing.step is QuotaStep.WARN:
        return "tell the project"
    return _ACTS[standing.resource][standing.step is QuotaStep.HARD]


_ACTS = {
    "cpu": ("bound its CPU time (CPUQuota) a little below its use", "bound its CPU time to the quota"),
    "memory": ("hold its memory back (MemoryHigh)", "bound its memory (MemoryMax), in steps, above its use"),
    "disk": ("set the filesystem's soft quota", "set the filesystem's hard quota"),
    "database": ("limit its database connections", "stop writes to its databases; reading and deleting stay"),
    "processes": ("bound its processes (TasksMax)", "stop one unit"),
    "mail_per_hour": ("hold its mail in the queue", "hold its mail in the queue"),
}
