"""One evaluation: facts, requests and measures in; incidents, quota steps and messages out, in one transaction."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from agent import (
    backup_store,
    drill_store,
    foreign_alerts,
    host_store,
    incident_store,
    quota_release,
    quota_store,
    silences,
    told_store,
)
from agent.alert_tests import write_tests
from agent.chat import Chat
from agent.incidents import FLAPPING_WITHIN, MAX_SILENCE, Change, Incident, Phase, Step, as_asked, evaluate, forgotten
from agent.inhibition import AFTERWARDS
from agent.maintenance import store as maintenance_store
from agent.maintenance.desk import Desk
from agent.marking import Marker
from agent.observation import Observation
from agent.quota_agreements import Agreements
from agent.quota_use import used
from agent.quotas import Standing, next_standing
from agent.rules import Situation, able, findings
from agent.telling import Tidings
from coloc import heard
from coloc.config.whole import Config
from coloc.facts import Fact
from coloc.requests import Request
from coloc.state import State
from coloc.times import iso, parse_iso

logger = logging.getLogger(__name__)
Tell = Callable[[sqlite3.Connection, Iterable[Tidings], datetime], object]
_CLOCK_ERROR = timedelta(hours=1)


class Evaluator:
    """Brings what is known together and decides. Its memory is state.db, and what was last read of it."""

    def __init__(self, state: State, facts: backup_store.FactReader, tell: Tell, *, chat: Chat | None = None) -> None:
        """`chat`: who decides on what people say in rooms."""
        self._state, self._facts, self._tell, self._chat = state, facts, tell, chat
        self._backups: tuple[backup_store.BackupStanding, ...] = ()
        self._backups_at = -1
        self.agreements = Agreements()
        self.latest: tuple[Standing, ...] = ()  # where limits stood at the last evaluation

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
        self.latest = quotas
        is_open = incident_store.open_incidents(connection)
        situation = replace(self._situation(config, observation, quotas, is_open, now), config_error=config_error)
        found = findings(situation)
        steps = evaluate(is_open, found, now, quiet=quiet, earlier=self._earlier(now))
        steps += forgotten(is_open.values(), frozenset(item.key for item in found), able(situation), now)
        asked, is_spoken_to = self._not_obeyed_yet(requests), self._is_spoken_to()
        desk = Desk(connection, config, observation.colocation, now)
        is_calm = desk.is_calm() and all(incident.phase is Phase.PENDING for incident in is_open.values())
        if is_calm and not (steps or moved or asked or is_spoken_to or incident_store.held_and_over(connection)):
            return taken
        with self._state.transaction():
            changes = dict(self._take_step(step, now) for step in steps)
            quota_store.save(connection, moved)
            quota_store.keep_only(connection, (item.key for item in quotas))
            connection.executemany("INSERT INTO obeyed VALUES (?, ?)", [(request.id, iso(now)) for request in asked])
            spoken = self._chat.decide(connection, now, desk) if self._chat is not None and is_spoken_to else []
            for request in [*asked, *spoken]:
                if request.kind == "test":
                    write_tests(connection, config, request, now)
                elif request.kind == "quota_release":
                    quota_release.obey(self._state, request, now)
                elif request.kind == "maintenance":
                    desk.obey(request)
                else:
                    changes |= self._obey(request, now)
            desk.follow_the_clock()
            quiet_ones = [*silences.known(connection, now), *desk.silences()]
            self._speak(Marker(config, observation.colocation, quiet_ones, now), changes)
        return taken

    def _situation(
        self,
        config: Config,
        observation: Observation,
        quotas: tuple[Standing, ...],
        is_open: Mapping[str, Incident],
        now: datetime,
    ) -> Situation:
        """What the rules look at."""
        connection = self._state.connection
        return Situation(
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
            open_keys=frozenset(key for key, incident in is_open.items() if incident.phase is not Phase.PENDING),
            drills=tuple(drill_store.drills(connection)),
            rooms=host_store.rooms(connection),
            size_ratios=host_store.size_ratios(connection),
            escrow=host_store.escrow(connection),
            checks=tuple(drill_store.checks(connection)),
            readings=observation.readings,
            held=observation.held,
            maintenances=tuple(maintenance_store.open_ones(connection)),
            foreign=foreign_alerts.standing(connection, config.from_alertmanager, now),
        )

    def _not_obeyed_yet(self, requests: Iterable[Request]) -> list[Request]:
        """Each once: the file of one that was obeyed may still be there after a crash."""
        known = self._state.connection
        return [
            each
            for each in {request.id: request for request in requests}.values()
            if known.execute("SELECT 1 FROM obeyed WHERE id = ?", (each.id,)).fetchone() is None
        ]

    def _is_spoken_to(self) -> bool:
        connection = self._state.connection
        if self._chat is None or not heard.anything(connection):
            return False
        with self._state.transaction():
            heard.begin(connection)
        return True

    def _speak(self, marker: Marker, changes: dict[int, Change | None]) -> None:
        """Mark what is open, then let what changed, and what waited for its time, be told."""
        connection, now = self._state.connection, marker.now
        is_open = incident_store.open_incidents(connection)
        marked = marker.marked(is_open.values(), incident_store.over_since(connection, now - AFTERWARDS))
        for incident in marked:
            before = is_open[incident.key]
            if incident != before:
                incident_store.update(connection, incident)
            if incident.followers != before.followers:
                changes[incident.id] = changes.get(incident.id) or Change.UPDATED
        over = {incident.id: incident for incident in incident_store.held_and_over(connection)}
        for number in (number for number, change in changes.items() if change is Change.RESOLVED):
            ended = incident_store.get(connection, number)
            over |= {number: ended} if ended is not None else {}
        spoken_of = [*(incident for incident in marked if incident.phase is not Phase.PENDING), *over.values()]
        words = {number: change for number, change in changes.items() if change is not None}
        self._tell(connection, marker.tidings(spoken_of, words), now)

    def _earlier(self, now: datetime) -> dict[str, tuple[datetime, ...]]:
        """When what is over by now began, of the last hour: flapping is seen across incidents."""
        found: dict[str, tuple[datetime, ...]] = {}
        for incident in incident_store.over_since(self._state.connection, now - FLAPPING_WITHIN):
            found[incident.key] = incident.beginnings
        return found

    def _standing_backups(self) -> tuple[backup_store.BackupStanding, ...]:
        """The same objects until something is written: only we write, and reading all of them is dear."""
        changes = self._state.connection.total_changes
        if changes != self._backups_at:
            self._backups, self._backups_at = tuple(backup_store.standings(self._state.connection)), changes
        return self._backups

    def _take_step(self, step: Step, now: datetime) -> tuple[int, Change | None]:
        incident = incident_store.save(self._state.connection, step, now)
        if step.change in {None, Change.BEGAN, Change.VANISHED}:
            return incident.id, None
        logger.info("incident", extra={"id": incident.id, "rule": incident.rule, "change": str(step.change)})
        return incident.id, step.change

    def _quotas(
        self, config: Config, observation: Observation, now: datetime
    ) -> tuple[tuple[Standing, ...], list[Standing]]:
        known = quota_store.standings(self._state.connection)
        standing, moved = [], []
        for each in self.agreements.of(config, observation.colocation):
            before = known.get(each.key) or quota_store.begin(each.project, each.resource, now, app=each.app)
            after = next_standing(before, each.limit, used(observation, each), each.grace, now)
            standing.append(after)
            if after.step is not before.step or each.key not in known:
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

    def _obey(self, request: Request, now: datetime) -> dict[int, Change | None]:
        """Do what was asked for; returns what changed of which incident."""
        connection, by = self._state.connection, str(request.values.get("by", ""))[:60]
        if request.kind in {"quiet", "unquiet"}:
            self._obey_silence(request, by, now)
            return {}
        incidents = [incident_store.get(connection, number) for number in self._meant(request)]
        found = [each for each in incidents if each is not None and each.phase is not Phase.RESOLVED]
        if not found:
            logger.warning("a request names no open incident", extra={"request": request.kind})
        changes: dict[int, Change | None] = {}
        for incident in found:
            after, changes[incident.id] = as_asked(
                incident, request.kind, by, _silence(request.values.get("seconds")), now
            )
            incident_store.note(connection, incident.id, now, request.kind, by)
            incident_store.update(connection, after)
        return changes

    def _meant(self, request: Request) -> list[int]:
        """The incidents that a request is about: one by its number, or those that a message tells."""
        number, about = request.values.get("incident"), request.values.get("about")
        if isinstance(about, str):
            return told_store.told_by(self._state.connection, about)
        return [number] if isinstance(number, int) else []

    def _obey_silence(self, request: Request, by: str, now: datetime) -> None:
        number, connection = request.values.get("silence"), self._state.connection
        if request.kind == "unquiet":
            done = isinstance(number, int) and 0 < number < 2**63 and silences.end(connection, number, now)
            if not done:
                logger.warning("a request names no silence that lasts", extra={"request": request.kind})
            return
        labels = {name: str(request.values[name])[:200] for name in silences.LABELS if request.values.get(name)}
        rule, why = str(request.values.get("rule", ""))[:100], str(request.values.get("why", ""))[:300]
        until = now + _silence(request.values.get("seconds"))
        silences.add(connection, silences.Silence(now, until, by or "?", rule, labels, why))


def _silence(seconds: str | int | float | None) -> timedelta:
    """How long somebody asked for quiet: an hour when it was not said, thirty days at most."""
    if isinstance(seconds, int | float) and math.isfinite(seconds):
        return timedelta(seconds=min(max(0.0, float(seconds)), MAX_SILENCE.total_seconds()))
    return timedelta(hours=1)
