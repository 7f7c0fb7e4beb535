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

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from coloc.config.values import Limit

RELEASE = 0.8
Key = tuple[str, str, str]  # project, app ("" for the whole project), resource


class QuotaStep(StrEnum):
    """The steps of the ladder, in their order."""

    FINE = "fine"
    WARN = "warn"
    THROTTLE = "throttle"
    HARD = "hard"


_UP = {QuotaStep.FINE: QuotaStep.WARN, QuotaStep.WARN: QuotaStep.THROTTLE, QuotaStep.THROTTLE: QuotaStep.HARD}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a project, or one app of it, stands on one resource, and since when."""

    project: str
    resource: str
    step: QuotaStep
    since: datetime
    used: float | None = None
    would_have_acted: int = 0  # how often enforcement would have done something: the simulation's count
    app: str = ""  # "": the whole project
    watched_since: datetime | None = None  # when its simulation began

    @property
    def key(self) -> Key:
        """Which limit it is about: project, app, resource."""
        return self.project, self.app, self.resource


def next_standing(standing: Standing, limit: Limit, used: float | None, grace: timedelta, now: datetime) -> Standing:
    """Where the project should stand at `now`, one step away at most from where it stood."""
    step = standing.step if used is None else _step(standing, limit, used, grace, now)
    if step is standing.step:
        since = min(standing.since, now)  # a clock that was set back does not lengthen the grace
        if since is standing.since and used == standing.used:
            return standing
        return replace(standing, since=since, used=used)
    acts = step in {QuotaStep.THROTTLE, QuotaStep.HARD}
    return replace(standing, step=step, since=now, used=used, would_have_acted=standing.would_have_acted + acts)


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
    "cpu": ("bound its CPU time to the hard limit (CPUQuota)", "bound its CPU time to the soft limit (CPUQuota)"),
    "memory": ("hold its memory back (MemoryHigh)", "bound its memory (MemoryMax), in steps, above its use"),
    "disk": ("let its files grow a little more, for a while (quota of the filesystem)", "let its files grow no more"),
    "files": ("let it make few more files, for a while (quota of the filesystem)", "let it make no more files"),
    "database": ("limit its database connections", "stop writes to its databases; reading and deleting stay"),
    "database_connections": ("limit its database connections", "limit its database connections to the soft limit"),
    "processes": ("bound its processes (TasksMax)", "bound its processes to the soft limit (TasksMax)"),
    "io": ("bound what it reads and writes a second", "bound what it reads and writes a second to the soft limit"),
    "network": ("tell the project again: nothing here can slow it", "tell the project again: nothing here can slow it"),
    "mail_per_hour": ("hold its mail in the queue", "hold its mail in the queue"),
    "mail_per_day": ("hold its mail in the queue", "hold its mail in the queue"),
}
