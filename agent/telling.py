"""Decides who hears of an incident, where and how loudly, and writes it into the outbox. The words come from alerts.

An incident is one message per channel: the first is new, every later word edits it. Matrix and the forum are used from
the stage `alert` on; the console always. An incident lives in its project's room when it has one, else the machine's.
The forum hears of what is critical. Silence and acknowledgement make edits quiet; a resolution is never swallowed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from agent.incidents import Change, Incident, Severity
from alerts import messages
from coloc import outbox
from coloc.config.whole import Config


@dataclass(frozen=True, slots=True)
class Route:
    """One place where an incident is told."""

    channel: str
    target: str
    language: str


class Teller:
    """Writes messages for one configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def tell(self, connection: sqlite3.Connection, incident: Incident, change: Change, now: datetime) -> Incident:
        """Add what this change makes us say, in the caller's transaction; returns the incident with its count."""
        for route in self.routes(incident):
            first = f"incident:{incident.id}:{route.channel}:{route.target}"
            is_new = connection.execute("SELECT 1 FROM outbox WHERE key = ?", (first,)).fetchone() is None
            if is_new and change is Change.RESOLVED:
                continue  # nobody heard of it here: nothing to take back
            message = messages.incident_message(_facts(incident, now), route.language, self._config.zone)
            rings = change in {Change.FIRED, Change.WORSE} and not incident.silenced(now) and not incident.acked_by
            outbox.add(
                connection,
                channel=route.channel,
                target=route.target,
                kind=outbox.Kind.NEW if is_new else outbox.Kind.EDIT,
                key=first if is_new else f"{first}:{incident.told}",
                about=first,
                message=replace(message, rings=rings),
                now=now,
            )
        return replace(incident, told=incident.told + 1)

    def routes(self, incident: Incident) -> Iterator[Route]:
        """Where an incident is told at this stage."""
        channels, language = self._config.channels, self._config.coloc.language
        if channels.console is not None or (channels.matrix is None and channels.forum is None):
            spoken = channels.console.language if channels.console else None
            yield Route("console", "console", spoken or language)
        if not self._config.reaches("alert"):
            return
        if channels.matrix is not None:
            project = self._config.projects.get(dict(incident.labels).get("project", ""))
            room = (project.room if project else None) or channels.matrix.room
            yield Route("matrix", room, channels.matrix.language or language)
        if channels.forum is not None and incident.severity is Severity.CRITICAL:
            yield Route("forum", str(channels.forum.topic), channels.forum.language or language)


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
