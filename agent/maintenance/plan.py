"""A maintenance as a state machine: when it begins, overruns and ends, and what deserves a word. Pure.

    (nothing) → DECLARED   people are told, once
    DECLARED  → RUNNING    somebody starts it, or its hour comes; its length stays what was planned
    DECLARED  → CANCELLED  it will not happen
    RUNNING   → ENDED      somebody ends it: what is still broken is told

What it covers is quiet from its start to its planned end, and no longer: from then on it overruns, which rings, until
somebody extends or ends it. So a maintenance that was forgotten hides nothing for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from agent.incidents import Incident

LONGEST = timedelta(days=7)
FURTHEST_AHEAD = timedelta(days=90)
REMIND_BEFORE = timedelta(hours=1)
_CLOCK_ERROR = timedelta(hours=1)


class Phase(StrEnum):
    """Where a maintenance stands."""

    DECLARED = "declared"
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"


class Word(StrEnum):
    """What changed, and is told."""

    DECLARED = "declared"
    REMINDED = "reminded"
    STARTED = "started"
    EXTENDED = "extended"
    OVERRUN = "overrun"
    ENDED = "ended"
    CANCELLED = "cancelled"


class Trouble(StrEnum):
    """Why what somebody asks for cannot be."""

    OVER = "over"
    NOT_BEGUN = "not begun"  # cancel it instead
    BEGUN = "begun"  # it runs already: end it instead
    TOO_LONG = "too long"
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One maintenance. `app` and `project` both "": the whole server. `id` is 0 until it is remembered."""

    title: str
    by: str
    declared_at: datetime
    begins_at: datetime
    ends_at: datetime  # as planned, and extended since
    app: str = ""
    project: str = ""
    phase: Phase = Phase.DECLARED
    started_at: datetime | None = None
    ended_at: datetime | None = None  # also of one that was cancelled
    reminded: bool = False
    overrun: bool = False
    broken: tuple[str, ...] = ()  # the incidents that were still open at its end, by their titles
    told: int = 0  # how many times its messages were written
    id: int = 0

    @property
    def is_over(self) -> bool:
        """True when nothing will come of it any more."""
        return self.phase in {Phase.ENDED, Phase.CANCELLED}

    def is_quiet(self, now: datetime) -> bool:
        """True while what it covers keeps quiet; lasting longer than one can, it is of a clock that was ahead."""
        return self.phase is Phase.RUNNING and now < self.ends_at <= now + LONGEST + _CLOCK_ERROR

    def covers(self, incident: Incident) -> bool:
        """True when an incident is about what is worked on."""
        labels = dict(incident.labels)
        if self.app:
            return labels.get("app") == self.app
        return not self.project or labels.get("project") == self.project


def declared(
    title: str, by: str, now: datetime, begins_at: datetime, length: timedelta, *, app: str = "", project: str = ""
) -> Maintenance | Trouble:
    """A new one, a beginning in the past being now. Who declares it so late that no reminder would help gets none."""
    begins_at = max(begins_at, now)
    if not timedelta(0) < length <= LONGEST or begins_at > now + FURTHEST_AHEAD:
        return Trouble.TOO_LONG
    late = begins_at - now <= REMIND_BEFORE
    return Maintenance(title, by, now, begins_at, begins_at + length, app, project, reminded=late)


def by_the_clock(one: Maintenance, now: datetime) -> tuple[Maintenance, Word | None]:
    """What time alone does to it; call it again until it has no word. A clock that goes back undoes nothing."""
    if one.phase is Phase.DECLARED and now >= one.begins_at:
        return replace(one, phase=Phase.RUNNING, started_at=one.begins_at), Word.STARTED
    if one.phase is Phase.DECLARED and not one.reminded and now >= one.begins_at - REMIND_BEFORE:
        return replace(one, reminded=True), Word.REMINDED
    if one.phase is Phase.RUNNING and not one.overrun and now >= one.ends_at:
        return replace(one, overrun=True), Word.OVERRUN
    return one, None


def as_asked(one: Maintenance, verb: str, now: datetime, span: timedelta) -> tuple[Maintenance, Word] | Trouble:
    """What somebody asks for: start, extend (by `span`), end or cancel."""
    if one.is_over:
        return Trouble.OVER
    if verb == "start":
        return _started(one, now)
    if verb == "extend":
        return _extended(one, now, span)
    if verb == "end":
        if one.phase is Phase.DECLARED:
            return Trouble.NOT_BEGUN
        return replace(one, phase=Phase.ENDED, ended_at=now), Word.ENDED
    if one.phase is Phase.RUNNING:
        return Trouble.BEGUN
    return replace(one, phase=Phase.CANCELLED, ended_at=now), Word.CANCELLED


def _started(one: Maintenance, now: datetime) -> tuple[Maintenance, Word] | Trouble:
    if one.phase is Phase.RUNNING:
        return Trouble.BEGUN
    length = one.ends_at - one.begins_at
    return replace(one, phase=Phase.RUNNING, started_at=now, ends_at=now + length), Word.STARTED


def _extended(one: Maintenance, now: datetime, span: timedelta) -> tuple[Maintenance, Word] | Trouble:
    """By the planned end, or by now when that is over."""
    begin = now if one.phase is Phase.RUNNING else one.begins_at
    ends_at = max(one.ends_at, begin) + span
    if span <= timedelta(0) or ends_at - begin > LONGEST:
        return Trouble.TOO_LONG
    return replace(one, ends_at=ends_at, overrun=False), Word.EXTENDED
