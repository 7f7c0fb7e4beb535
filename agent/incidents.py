"""Incidents as a state machine: what is wrong now, since when, and which change deserves a word. Pure.

An incident is a rule and its labels. It goes

    (nothing) → PENDING  the condition holds, but not yet as long as the rule waits: nobody is told
    PENDING   → FIRING   it held for `wait`: people are told once
    PENDING   → gone     it stopped before: nobody ever hears of it
    FIRING    → CLEARING the condition is over, but not yet for `clear_after`: nothing is told
    CLEARING  → FIRING   it came back: the same incident goes on
    CLEARING  → RESOLVED it stayed away for `clear_after`: the message is edited and says so

Acknowledged, silenced, inhibited and unstable are marks; they change how loud we are, never what we see. While a
collector cannot say whether the condition holds (no reading), the incident stays where it is: no news is not good news.

Flapping: what begins for the third time within an hour is `unstable`. Then it is over only when it stayed away for half
an hour, so that its comings and goings are one incident and one message. A severity that goes up and down is told as
worse only when it is worse than ever before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache


class Phase(StrEnum):
    """Where an incident stands."""

    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How much it matters, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


MAX_SILENCE = timedelta(days=30)
FLAPPING_WITHIN = timedelta(hours=1)
_FLAPPING_FROM = 3
_CALM = timedelta(minutes=30)
_CLOCK_ERROR = timedelta(hours=1)
_ORDER = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says now of one subject. `active` None: it cannot be told at the moment."""

    rule: str
    labels: tuple[tuple[str, str], ...]
    active: bool | None
    severity: Severity
    wait: timedelta = timedelta(0)
    clear_after: timedelta = timedelta(0)
    value: Mapping[str, str] = field(default_factory=dict)  # what the message needs: figures, names, an error's words

    @property
    def key(self) -> str:
        """Which incident this is about."""
        return _key(self.rule, self.labels)


@lru_cache(maxsize=1024)
def _key(rule: str, labels: tuple[tuple[str, str], ...]) -> str:
    """The same few hundred at each tick."""
    return f"{rule}{{{','.join(f'{name}={value!r}' for name, value in labels)}}}"


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as it stands. `id` is 0 until it is remembered."""

    key: str
    rule: str
    labels: tuple[tuple[str, str], ...]
    phase: Phase
    severity: Severity
    value: Mapping[str, str]
    pending_since: datetime
    fired_at: datetime | None = None
    clearing_since: datetime | None = None
    resolved_at: datetime | None = None
    acked_by: str = ""
    silenced_until: datetime | None = None
    told: int = 0  # how many messages were decided for it
    id: int = 0
    loudest: Severity | None = None  # the worst that it ever was
    beginnings: tuple[datetime, ...] = ()  # when this very thing began within the last hour, also as earlier incidents
    unstable: bool = False
    held: str = ""  # why a word that is due was not said yet: silenced | inhibited | night
    cause: int = 0  # inhibited: the number of the incident that it follows from
    escalated: bool = False  # told for its age: see agent.aged
    followers: int = 0  # how many open incidents follow from it and keep quiet

    def silenced(self, now: datetime) -> bool:
        """True while somebody asked for quiet: longer than it can be asked for, the clock was ahead then."""
        return self.silenced_until is not None and now < self.silenced_until <= now + MAX_SILENCE + _CLOCK_ERROR


class Change(StrEnum):
    """What is worth a word, or a line in the history."""

    BEGAN = "began"  # pending: history only
    VANISHED = "vanished"  # pending, then nothing: history only
    FIRED = "fired"
    WORSE = "worse"
    UPDATED = "updated"  # other figures: the message is edited, nobody is rung
    RESOLVED = "resolved"
    ACKED = "acked"  # a person's word, as the next three
    RELEASED = "released"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    ESCALATED = "escalated"  # it grew old: see agent.aged


@dataclass(frozen=True, slots=True)
class Step:
    """One incident after this evaluation, and what changed (None: nothing that anybody needs to hear)."""

    incident: Incident
    change: Change | None


def evaluate(
    open_incidents: Mapping[str, Incident],
    findings: Iterable[Finding],
    now: datetime,
    *,
    quiet: bool = False,
    earlier: Mapping[str, tuple[datetime, ...]] | None = None,
) -> list[Step]:
    """What every finding makes of the incident it is about; only changed incidents are returned.

    earlier: when incidents of the same key that are over began, of the last hour.
    quiet: the agent has just started: conditions are seen, but nothing new fires yet. A clock that was set back never
    makes a wait longer than its rule says twice over: times in the future count as now.
    """
    steps = []
    seen: set[str] = set()
    for finding in findings:
        if finding.key in seen:
            continue  # one incident per key: of two findings the first counts
        seen.add(finding.key)
        incident = open_incidents.get(finding.key)
        if incident is None:
            step = _begin(finding, (earlier or {}).get(finding.key, ()), now, quiet=quiet)
        else:
            step = _go_on(incident, finding, now, quiet=quiet)
        if step is not None:
            steps.append(step)
    return steps


def _begin(finding: Finding, earlier: tuple[datetime, ...], now: datetime, *, quiet: bool) -> Step | None:
    if not finding.active:
        return None
    incident = Incident(
        finding.key,
        finding.rule,
        finding.labels,
        Phase.PENDING,
        finding.severity,
        dict(finding.value),
        pending_since=now,
        beginnings=earlier,
    )
    if finding.wait <= timedelta(0) and not quiet:
        return Step(_fired(incident, finding, now), Change.FIRED)
    return Step(incident, Change.BEGAN)


def _fired(incident: Incident, finding: Finding, now: datetime) -> Incident:
    return replace(
        _begun_again(incident, now),
        phase=Phase.FIRING,
        fired_at=now,
        severity=finding.severity,
        loudest=finding.severity,
        value=dict(finding.value),
    )


def _begun_again(incident: Incident, now: datetime) -> Incident:
    """One more beginning; the third within an hour makes it unstable. Times of a clock that was ahead do not count."""
    lately = tuple(moment for moment in incident.beginnings if timedelta(0) <= now - moment <= FLAPPING_WITHIN)
    beginnings = (*lately, now)[-_FLAPPING_FROM:]
    return replace(incident, beginnings=beginnings, unstable=incident.unstable or len(beginnings) >= _FLAPPING_FROM)


def _go_on(incident: Incident, finding: Finding, now: datetime, *, quiet: bool) -> Step | None:
    if finding.active is None:
        return None
    if incident.phase is Phase.PENDING:
        return _pending(incident, finding, now, quiet=quiet)
    if finding.active:
        return _still_wrong(incident, finding, now)
    return _no_longer_wrong(incident, finding, now)


def _no_longer_wrong(incident: Incident, finding: Finding, now: datetime) -> Step | None:
    clear_after = max(finding.clear_after, _CALM) if incident.unstable else finding.clear_after
    if clear_after <= timedelta(0):
        return Step(_resolved(incident, now), Change.RESOLVED)
    if incident.phase is Phase.FIRING:
        return Step(replace(incident, phase=Phase.CLEARING, clearing_since=now), None)
    since = min(incident.clearing_since or now, now)
    if now - since >= clear_after:
        return Step(_resolved(incident, now), Change.RESOLVED)
    # A clock set back: the wait begins again at the new time, once.
    return Step(replace(incident, clearing_since=since), None) if since != incident.clearing_since else None


def _pending(incident: Incident, finding: Finding, now: datetime, *, quiet: bool) -> Step | None:
    if not finding.active:
        return Step(replace(incident, phase=Phase.RESOLVED, resolved_at=now), Change.VANISHED)
    since = min(incident.pending_since, now)
    if now - since >= finding.wait and not quiet:
        fired = _fired(replace(incident, pending_since=since), finding, now)
        return Step(fired, Change.FIRED)
    return Step(replace(incident, pending_since=since), None) if since != incident.pending_since else None


def _still_wrong(incident: Incident, finding: Finding, now: datetime) -> Step | None:
    came_back = incident.phase is Phase.CLEARING
    before = _begun_again(incident, now) if came_back else incident
    after = replace(
        before, phase=Phase.FIRING, clearing_since=None, severity=finding.severity, value=dict(finding.value)
    )
    loudest = incident.loudest or incident.severity
    if _ORDER[finding.severity] > _ORDER[loudest]:
        return Step(replace(after, loudest=finding.severity), Change.WORSE)
    news = (finding.severity, dict(finding.value), after.unstable)
    if news != (incident.severity, dict(incident.value), incident.unstable):
        return Step(after, Change.UPDATED)
    return Step(after, None) if came_back else None


def _resolved(incident: Incident, now: datetime) -> Incident:
    return replace(incident, phase=Phase.RESOLVED, resolved_at=now, clearing_since=None)


def forgotten(
    open_incidents: Iterable[Incident], known_keys: frozenset[str], able: frozenset[str], now: datetime
) -> list[Step]:
    """Incidents of subjects that are gone (an app removed, a rule switched off): they are over.

    able: the rules that could speak at all this time; what the others said stays as it is.
    """
    steps = []
    for incident in open_incidents:
        if incident.key in known_keys or incident.rule not in able:
            continue
        change = Change.VANISHED if incident.phase is Phase.PENDING else Change.RESOLVED
        steps.append(Step(_resolved(incident, now), change))
    return steps


def as_asked(incident: Incident, kind: str, by: str, span: timedelta, now: datetime) -> tuple[Incident, Change]:
    """The incident with the mark that somebody asked for, or without it: `by` and `span` are then what is left."""
    if kind == "ack":
        return replace(incident, acked_by=by or "?"), Change.ACKED
    if kind == "unack":
        return replace(incident, acked_by=by), Change.ACKED if by else Change.RELEASED
    if kind == "unsilence" and span <= timedelta(0):
        return replace(incident, silenced_until=None), Change.UNSILENCED
    return replace(incident, silenced_until=now + span), Change.SILENCED
