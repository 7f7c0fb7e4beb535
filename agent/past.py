"""What is remembered of incidents: those of the page, the long list, and one with all that happened to it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from agent import incident_store, silences
from agent.incidents import Change, Incident
from agent.loudness import Loudness, night_ends
from agent.maintenance import store as maintenance_store
from agent.maintenance.desk import running_silences
from agent.rule_table import SPECS
from agent.status import IncidentStatus, Past, plain
from agent.telling import incident_text, title
from agent.web import Request, Response, Route
from alerts.report import Happening, incident_report
from coloc.config.whole import Config
from coloc.errors import StateError
from coloc.state import connect_again
from coloc.times import now_utc, parse_iso

_MOST = 500
_HAPPENINGS = 200
_NAMED = frozenset({"ack", "unack", "silence", "unsilence"})  # what people did: the detail is who


def latest(config: Config, connection: sqlite3.Connection, limit: int, now: datetime) -> tuple[IncidentStatus, ...]:
    """The incidents that people could hear of: open ones first, then the newest."""
    asked = [*silences.known(connection, now), *running_silences(maintenance_store.open_ones(connection), now)]
    morning = night_ends(now, config.quiet_hours, config.zone)
    return tuple(
        _status(config, incident, silences.covering(incident, asked, now), morning, now)
        for incident in incident_store.latest(connection, limit)
    )


def _status(
    config: Config, incident: Incident, silence: silences.Silence | None, morning: datetime | None, now: datetime
) -> IncidentStatus:
    own = incident.silenced_until if incident.silenced(now) else None
    ends = [each for each in (own, silence.ends_at if silence else None) if each is not None]
    return IncidentStatus(
        id=incident.id,
        severity=str(incident.severity),
        phase=str(incident.phase),
        title=title(incident, config.coloc.language, config),
        fired_at=incident.fired_at,
        resolved_at=incident.resolved_at,
        acked_by=incident.acked_by,
        silenced_until=max(ends, default=None),
        rule=incident.rule,
        silence=silence.id if silence else 0,
        cause=incident.cause,
        followers=incident.followers,
        told_at=morning if incident.held == Loudness.NIGHT else None,
        maintenance=silence.maintenance if silence else 0,
        app=dict(incident.labels).get("app", ""),
        project=dict(incident.labels).get("project", ""),
    )


def past(config: Config, connection: sqlite3.Connection, number: int | None, now: datetime) -> Past | None:
    """The long list, or the report of one; None when there is none of that number that anybody could hear of."""
    if number is None:
        return Past(config.coloc.name, latest(config, connection, _MOST, now))
    incident = incident_store.get(connection, number)
    if incident is None or incident.fired_at is None:
        return None
    spec = SPECS.get(incident.rule)
    report = incident_report(
        incident_text(incident, now),
        sorted(_happenings(connection, incident), key=lambda each: each.at),
        config.coloc.language,
        config.zone,
        coloc=config.coloc.name,
        runbook=spec.runbook if spec else "",
    )
    return Past(config.coloc.name, (_status(config, incident, None, None, now),), report)


def _happenings(connection: sqlite3.Connection, incident: Incident) -> Iterator[Happening]:
    """What was noted, the last two hundred, and when it was first said on each channel."""
    for at, what, detail in incident_store.history(connection, incident.id)[-_HAPPENINGS:]:
        if what not in {Change.ACKED, Change.RELEASED, Change.SILENCED, Change.UNSILENCED}:
            yield Happening(at, what, detail if what in _NAMED else "")
    rows = connection.execute(
        "SELECT outbox.channel, sent_at FROM told JOIN outbox ON outbox.key = told.about "
        "WHERE told.incident = ? AND sent_at IS NOT NULL",
        (incident.id,),
    )
    for row in rows:
        yield Happening(parse_iso(row["sent_at"]), "told", row["channel"])


def past_route(config: Config, path: Path) -> Route:
    """`/api/v1/incidents`, and `?id=12` of it: read on a connection of its own, since readers have their threads."""

    def route(request: Request) -> Response:
        asked = request.query.get("id", ("",))[-1]
        if asked and not (asked.isascii() and asked.isdecimal() and len(asked) <= 12):
            return Response(b"bad request\n", status=HTTPStatus.BAD_REQUEST)
        try:
            state = connect_again(path)
            try:
                found = past(config, state.connection, int(asked) if asked else None, now_utc())
            finally:
                state.close()
        except (sqlite3.Error, StateError, OSError):
            return Response(b"the state cannot be read\n", status=HTTPStatus.SERVICE_UNAVAILABLE)
        if found is None:
            return Response(b"no such incident\n", status=HTTPStatus.NOT_FOUND)
        values = {key: plain(value) for key, value in asdict(found).items()}
        return Response(json.dumps(values, ensure_ascii=False).encode(), "application/json")

    return route
