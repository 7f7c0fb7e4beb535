"""One evaluation: facts, requests and measures in; incidents, quota steps and messages out, in one transaction."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from agent import backup_store, incident_store, quota_store
from agent.aged import aged
from agent.incidents import MAX_SILENCE, Change, Incident, Phase, Step, evaluate, forgotten
from agent.observation import Observation
from agent.quotas import Standing, next_standing
from agent.rules import Situation, able, findings
from coloc.config.whole import Config
from coloc.facts import Fact
from coloc.requests import Request
from coloc.state import State
from coloc.times import iso, parse_iso

logger = logging.getLogger(__name__)
Tell = Callable[[sqlite3.Connection, Incident, Change, datetime], Incident]
_CLOCK_ERROR = timedelta(hours=1)


class Evaluator:
    """Brings what is known together and decides. Its memory is state.db, and what was last read of it."""

    def __init__(self, state: State, facts: backup_store.FactReader, tell: Tell) -> None:
        self._state, self._facts, self._tell = state, facts, tell
        self._backups: tuple[backup_store.BackupStanding, ...] = ()
        self._backups_at = -1
        self._told_old: set[int] = set()  # since this start; saying it again would change nothing

    def evaluate(
        self,
        config: Config,
        observation: Observation,
        requests: Iterable[Request],
        now: datetime,
        *,
        quiet: bool = False,
        config_error: str | None = None,
    ) -> list[Fact]:
        """Take what is new, decide, write everything down at once. Returns the facts taken. Raises StateError."""
        taken = self._facts.take(now)
        connection = self._state.connection
        quotas, moved = self._quotas(config, observation, now)
        is_open = incident_store.open_incidents(connection)
        situation = Situation(
            now,
            config,
            observation.colocation,
            {app: usage.up for app, usage in observation.usage.apps.items()},
            observation.collectors,
            observation.usage.filesystems,
            self._standing_backups(),
            backup_store.host_troubles(connection, now),
            self._first_seen(observation, now),
            quotas,
            config_error,
            frozenset(key for key, incident in is_open.items() if incident.phase is not Phase.PENDING),
        )
        found = findings(situation)
        steps = evaluate(is_open, found, now, quiet=quiet)
        steps += forgotten(is_open.values(), frozenset(item.key for item in found), able(situation), now)
        wanted = list(requests)
        moving = {step.incident.key for step in steps}
        old = [one for one in aged(is_open.values(), now) if one.key not in moving and one.id not in self._told_old]
        if not (steps or moved or wanted or old):
            return taken
        with self._state.transaction():
            for step in steps:
                self._take_step(step, now)
            quota_store.save(connection, moved)
            quota_store.keep_only(connection, ((item.project, item.resource) for item in quotas))
            for incident in old:
                incident_store.update(connection, self._tell(connection, incident, Change.ESCALATED, now))
            for request in wanted:
                self._obey(request, now)
        self._told_old |= {incident.id for incident in old}
        return taken

    def _standing_backups(self) -> tuple[backup_store.BackupStanding, ...]:
        """The same objects until something is written: only we write, and reading all of them is dear."""
        changes = self._state.connection.total_changes
        if changes != self._backups_at:
            self._backups, self._backups_at = tuple(backup_store.standings(self._state.connection)), changes
        return self._backups

    def _take_step(self, step: Step, now: datetime) -> None:
        connection = self._state.connection
        incident = incident_store.save(connection, step, now)
        if step.change in {None, Change.BEGAN, Change.VANISHED}:
            return
        told = self._tell(connection, incident, step.change or Change.UPDATED, now)
        incident_store.update(connection, told)
        logger.info("incident", extra={"id": incident.id, "rule": incident.rule, "change": str(step.change)})

    def _quotas(
        self, config: Config, observation: Observation, now: datetime
    ) -> tuple[tuple[Standing, ...], list[Standing]]:
        known = quota_store.standings(self._state.connection)
        standing, moved = [], []
        for name, project in config.projects.items():
            usage = observation.usage.projects.get(name)
            grace = timedelta(seconds=project.quotas.grace)
            for resource, limit in project.quotas.limits():
                before = known.get((name, resource)) or quota_store.begin(name, resource, now)
                after = next_standing(before, limit, usage.of(resource) if usage else None, grace, now)
                standing.append(after)
                if after.step is not before.step or (name, resource) not in known:
                    moved.append(after)
        return tuple(standing), moved

    def standings(self, config: Config, observation: Observation, now: datetime) -> tuple[Standing, ...]:
        """Where projects stand now, for the page and the metrics; changes nothing."""
        return self._quotas(config, observation, now)[0]

    def _first_seen(self, observation: Observation, now: datetime) -> dict[str, datetime]:
        known = json.loads(self._state.get("first_seen") or "{}")
        apps = observation.colocation.inventory.apps
        # Seen in the future (the clock was ahead): seen now, else no backup would be late until then.
        ahead = any(parse_iso(moment) > now + _CLOCK_ERROR for moment in known.values())
        if ahead or (apps and set(known) != set(apps)):
            known = {app: min(known.get(app, iso(now)), iso(now)) for app in apps or known}
            with self._state.transaction():
                self._state.put("first_seen", json.dumps(known))
        return {app: parse_iso(moment) for app, moment in known.items()}

    def _obey(self, request: Request, now: datetime) -> None:
        connection = self._state.connection
        number, by = request.values.get("incident"), str(request.values.get("by", ""))[:60]
        incident = incident_store.get(connection, number) if isinstance(number, int) else None
        if incident is None or incident.phase is Phase.RESOLVED:
            logger.warning("a request names no open incident", extra={"request": request.kind})
            return
        if request.kind == "ack":
            incident, change = replace(incident, acked_by=by or "?"), Change.ACKED
        else:
            until = now + _silence(request.values.get("seconds"))
            incident, change = replace(incident, silenced_until=until), Change.SILENCED
        incident_store.note(connection, incident.id, now, request.kind, by)
        incident_store.update(connection, self._tell(connection, incident, change, now))


def _silence(seconds: str | int | float | None) -> timedelta:
    """How long somebody asked for quiet: an hour when it was not said, thirty days at most."""
    if isinstance(seconds, int | float) and math.isfinite(seconds):
        return timedelta(seconds=min(max(0.0, float(seconds)), MAX_SILENCE.total_seconds()))
    return timedelta(hours=1)
