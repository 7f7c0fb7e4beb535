"""Decides who hears of an incident, where and how loudly, and writes it into the outbox. The words come from alerts.

An incident is one message per channel: the first is new, every later word edits it. In Matrix, what happened also
stays as a line in the message's thread, a silent notice unless it has to ring: it got worse, nobody took it on, or what
was critical or nobody's is over. Matrix and the forum are used from the stage `alert` on; the console always. An
incident lives in its project's room when it has one, else the machine's, and stays where it was first told, whatever
coloc.yml says later. The forum hears of what is critical and half an hour old. Silence and acknowledgement make edits
quiet; a resolution is never swallowed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from agent.incidents import Change, Incident, Severity
from alerts import messages
from alerts.history import history_line
from coloc import outbox
from coloc.config.whole import Config


@dataclass(frozen=True, slots=True)
class Route:
    """One place where an incident is told. `key`: of its message there; `is_told`: that message was decided before."""

    channel: str
    target: str
    language: str
    key: str
    is_told: bool = False


class Teller:
    """Writes messages for one configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def tell(self, connection: sqlite3.Connection, incident: Incident, change: Change, now: datetime) -> Incident:
        """Add what this change makes us say, in the caller's transaction; returns the incident with its count."""
        for route in self.routes(connection, incident, change):
            if change is Change.RESOLVED and not route.is_told:
                continue  # nobody heard of it here: nothing to take back
            if change is not Change.ESCALATED or not route.is_told:
                self._write(connection, incident, change, route, now)
            if route.channel == "matrix" and route.is_told:
                self._write_line(connection, incident, change, route, now)
        return replace(incident, told=incident.told + 1)

    def _write(
        self, connection: sqlite3.Connection, incident: Incident, change: Change, route: Route, now: datetime
    ) -> None:
        message = messages.incident_message(_facts(incident, now), route.language, self._config.zone)
        loud = change in {Change.FIRED, Change.WORSE, Change.ESCALATED} and _may_ring(incident, now)
        outbox.add(
            connection,
            channel=route.channel,
            target=route.target,
            kind=outbox.Kind.EDIT if route.is_told else outbox.Kind.NEW,
            key=f"{route.key}:{incident.told}" if route.is_told else route.key,
            about=route.key,
            message=replace(message, rings=loud),
            now=now,
        )

    def _write_line(
        self, connection: sqlite3.Connection, incident: Incident, change: Change, route: Route, now: datetime
    ) -> None:
        line = history_line(str(change), _facts(incident, now), route.language, self._config.zone)
        loud = rings_in_thread(incident, change, now)
        if line is None or (change is Change.ESCALATED and not loud):
            return
        outbox.add(
            connection,
            channel=route.channel,
            target=route.target,
            kind=outbox.Kind.REPLY,
            key=f"{route.key}:escalated" if change is Change.ESCALATED else f"{route.key}:{incident.told}:line",
            about=route.key,
            message=replace(line, rings=loud),
            now=now,
        )

    def routes(self, connection: sqlite3.Connection, incident: Incident, change: Change) -> Iterator[Route]:
        """Where an incident is told at this stage: where it was told before, and where it belongs now."""
        told = dict(_told(connection, incident.id))
        for channel, target, language in self._places(incident, change, frozenset(told)):
            where = told.get(channel, target)
            yield Route(channel, where, language, f"incident:{incident.id}:{channel}:{where}", channel in told)

    def _places(self, incident: Incident, change: Change, told: frozenset[str]) -> Iterator[tuple[str, str, str]]:
        channels, language = self._config.channels, self._config.coloc.language
        if channels.console is not None or (channels.matrix is None and channels.forum is None):
            spoken = channels.console.language if channels.console else None
            yield "console", "console", spoken or language
        if not self._config.reaches("alert"):
            return
        if channels.matrix is not None:
            project = self._config.projects.get(dict(incident.labels).get("project", ""))
            room = (project.room if project else None) or channels.matrix.room
            yield "matrix", room, channels.matrix.language or language
        grew_old = change is Change.ESCALATED and incident.severity is Severity.CRITICAL
        if channels.forum is not None and ("forum" in told or grew_old):
            yield "forum", str(channels.forum.topic), channels.forum.language or language


def rings_in_thread(incident: Incident, change: Change, now: datetime) -> bool:
    """Whether the line in the thread rings: it got worse, nobody took it on, or people wait to hear that it is over."""
    if change in {Change.WORSE, Change.ESCALATED}:
        return _may_ring(incident, now)
    if change is Change.RESOLVED:
        return not incident.silenced(now) and (incident.severity is Severity.CRITICAL or not incident.acked_by)
    return False


def _may_ring(incident: Incident, now: datetime) -> bool:
    return not incident.silenced(now) and not incident.acked_by


def _told(connection: sqlite3.Connection, number: int) -> Iterator[tuple[str, str]]:
    """(channel, target) of the messages that an incident has; a room that it was told in first stays its own."""
    rows = connection.execute(
        "SELECT channel, target FROM outbox WHERE key > ? AND key < ? AND kind = 'new' ORDER BY id DESC",
        (f"incident:{number}:", f"incident:{number};"),
    )
    for row in rows:
        yield row["channel"], row["target"]


def title(incident: Incident, language: str, config: Config) -> str:
    """The one line that names an incident on the page."""
    return messages.incident_title(_facts(incident, incident.fired_at or incident.pending_since), language, config.zone)


def _facts(incident: Incident, now: datetime) -> messages.IncidentText:
    return messages.IncidentText(
        id=incident.id,
        rule=incident.rule,
        labels=dict(incident.labels),
        severity=str(incident.severity),
        phase=str(incident.phase),
        since=incident.fired_at or incident.pending_since,
        until=incident.resolved_at,
        value=dict(incident.value),
        acked_by=incident.acked_by,
        silenced_until=incident.silenced_until if incident.silenced(now) else None,
    )
