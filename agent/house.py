"""The running parts for one configuration: the apps, the sampler, the delivery of messages and the web server.

The daemon asks it to look, gives it what was decided, and replaces it as a whole when coloc.yml changes.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

from prometheus_client.metrics_core import Metric

from agent import quota_release
from agent.alertmanager_post import poster_families, poster_of
from agent.charter.keeper import CharterKeeper
from agent.chat import Chat
from agent.client import local_socket
from agent.colocation import ColocationReader
from agent.commands_in_rooms import listening_rooms, people_of
from agent.copies import speaking
from agent.delivery_facts import delivery_families
from agent.door import Door
from agent.enforcement import Around
from agent.enforcing import Enforced, Enforcing
from agent.fair_use import SPANS as FAIR_SPANS
from agent.foreign_door import door_of, foreign_families, takers_of
from agent.giving_way import giving_way
from agent.heart import HasMoved, Heart, heartbeat_route
from agent.measured_rules import custom_spans
from agent.metric_rules import SPANS
from agent.observation import Observation
from agent.own_families import status_families
from agent.page.public import PUBLIC, public_route
from agent.page.public_links import public_links
from agent.page.remembered import StateMemory
from agent.page.routes import Shelf, page_routes
from agent.past import past_route
from agent.pinging import pinger_families, pinger_of, remember
from agent.quota_agreements import Agreements
from agent.quota_use import quota_spans
from agent.quotas import Standing
from agent.reading_aside import read_web_config_aside
from agent.readings import ReadingWindow
from agent.rule_facts import rule_families
from agent.rules import CollectorHealth
from agent.scrape import scrape_routes
from agent.snapshot import open_by_severity, snapshot
from agent.status import Status, to_json
from agent.telling import Teller, Tidings
from agent.web import Request, Response, Route, Web
from agent.wiring import blind_spots, collectors_of
from alerts.building import channels_of, listener_of
from alerts.delivery import Delivery
from alerts.elsewhere import elsewhere_of
from alerts.hushing import patience_of
from collectors.agent_facts import incident_families, name_families
from collectors.sampler import Sampler, health_families
from collectors.services import ServicesCollector
from collectors.usage import UsageWindow, is_fresh
from coloc.config.whole import Config
from coloc.errors import StateError
from coloc.helper_client import HelperClient
from coloc.memory import KeptMemory
from coloc.state import State
from coloc.times import now_utc
from coloc.unit_signals import UnitSignals

logger = logging.getLogger(__name__)
_JSON = "application/json"
_NOTHING_YET = Response(b"not ready yet\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})
_IDLE_SECONDS = 5.0  # of the delivery: `publish` wakes it when there is something to send
_SAVE_SECONDS = 60.0  # what is not saved is counted again after a crash: rarely is often enough
_STUCK_SECONDS = 45.0  # below WatchdogSec: a part that did not move for so long is stuck


def all_moved(parts: Iterable[HasMoved], since: float, clock: float) -> bool:
    """True when every part has moved lately; one that never did is given the same time from the start on."""
    return all(clock - (since if part.moved_at is None else part.moved_at) < _STUCK_SECONDS for part in parts)


class House:
    """All parts at work."""

    def __init__(self, config: Config, state: State, now: datetime, wake: Callable[[], None]) -> None:
        self.config, self._state, self._started_at = config, state, now
        self._version = version("coloc-agent")
        self._reader = ColocationReader(config)
        self._reader.read(now)
        self._memory, self._saved_at = KeptMemory(state), time.monotonic()
        self._collectors = collectors_of(config, self._memory)
        self._sampler = Sampler(self._collectors, self._reader.current, render_seconds=config.sampling.every)
        self._wake = wake
        self._units = UnitSignals(self._unit_changed) if config.root == Path("/") else None
        self._window = UsageWindow()
        self._readings = ReadingWindow(spans_of(config))
        voice = speaking(config, state)
        self._teller = Teller(voice)
        self.chat = Chat(config)
        channels = channels_of(voice, renew=True)
        self._listener = listener_of(
            voice, channels, targets=listening_rooms(voice), people=people_of(voice), wake=wake
        )
        self._delivery = Delivery(
            state.path,
            channels,
            language=config.coloc.language,
            idle_seconds=_IDLE_SECONDS,
            elsewhere=elsewhere_of(voice),
            patience=patience_of(voice),
        )
        self._enforcing = Enforcing(HelperClient(config.paths.helper_socket))
        self._enforced, self._agreements = Enforced(), Agreements()
        self._charter = CharterKeeper(config, state)
        self._links = public_links(config)
        self._remembered = StateMemory(state.path, config.zone)
        self._heart = Heart((self._sampler, self._delivery))
        self._pinger = pinger_of(voice, state, now)
        self._poster = poster_of(voice)
        self._foreign = door_of(config, state.path, wake)
        self._since = time.monotonic()
        self._status: Status | None = None
        self._earlier: Status | None = None  # of the house before, for who asks for the heartbeat meanwhile
        self._door = Door(config.listen.web_config, read=read_web_config_aside)
        self._web: Web | None = None

    def follow(self, other: House) -> None:
        """Take the place of a house whose configuration is old: its last heartbeat is answered until we beat."""
        self._heart.go_on(other._heart.last)
        self._earlier = other._status or other._earlier

    def start(self) -> None:
        """Begin to look, to send and to answer. Raises ColocError when the address is taken."""
        listen = self.config.listen
        beside = local_socket(listen, self.config.paths.state)
        self._web = Web(
            listen.host,
            listen.port,
            self._routes(),
            door=self._door,
            beside=beside,
            unguarded=PUBLIC if self._links else "",
            takers=takers_of(self._foreign),
        )
        self._since = time.monotonic()
        self._sampler.start()
        self._delivery.start()
        self._web.start()
        for part in (self._listener, self._units, self._pinger, self._poster):
            if part is not None:
                part.start()

    def stop(self) -> None:
        """End every part within a few seconds."""
        if self._web is not None:
            self._web.stop()
            self._web = None
        for part in (self._listener, self._units, self._pinger, self._poster):
            if part is not None:
                part.stop()
        self._delivery.stop()
        self._enforcing.stop()
        self._sampler.stop()
        try:
            self._memory.save(self._state)
            remember(self._pinger, self._state)
            self._charter.save(now_utc())
        except StateError as error:  # the next start counts again what was not saved
            logger.warning("what the collectors know was not saved", extra={"why": error.sentence()})

    def tell(self, connection: sqlite3.Connection, tidings: Iterable[Tidings], now: datetime) -> None:
        """Write what all this makes us say into the outbox, in the caller's transaction."""
        self._teller.tell(connection, tidings, now)

    def _unit_changed(self, names: frozenset[str]) -> None:
        """systemd says so: whether they run is looked at now, and decided on then. Other units are none of ours."""
        ours = [each.followed for each in self._collectors if isinstance(each, ServicesCollector)]
        if names & frozenset().union(*ours):
            self._sampler.look_soon(ServicesCollector.name, then=self._wake)

    def look(self, now: datetime) -> Observation:
        """What the collectors found last, and the apps as they are now."""
        if self._reader.read(now):
            self._sampler.wake()
        standings = self._sampler.standings()
        colocation = self._reader.current()
        health = tuple(CollectorHealth(item.name, item.failing_since, item.error) for item in standings)
        clock = time.monotonic()
        usage = self._window.update(standings, colocation, clock)
        families = [family for standing in standings if is_fresh(standing, clock) for family in standing.families]
        known = [*families, *self._sampler.given(), *health_families(standings)]
        readings = self._readings.update(known, clock)
        held = {each.key: each.step for each in self._enforced.answer.held if each.stands and not each.pending}
        observation = Observation(colocation, usage, health, blind_spots(self._collectors), readings, held)
        self._charter.look(observation, now, clock)
        return observation

    def enforce(self, observation: Observation, standings: Sequence[Standing], now: datetime) -> None:
        """Let what is held follow what was decided; without `enforce:` nobody is asked for anything."""
        if self.config.enforce is None and not self._enforced.asked:
            return
        agreed = self._agreements.of(self.config, observation.colocation)
        around = Around(
            timedelta(seconds=self.config.enforce.simulate_for if self.config.enforce else 0),
            giving_way(self.config, self._state.connection, now, colocation=observation.colocation),
            released=quota_release.released(self._state, agreed),
        )
        self._enforced = self._enforcing.want(agreed, standings, around, now)

    @property
    def url(self) -> str:
        """Where the page answers."""
        return f"{self._door.scheme}://{self.config.listen}/"

    def file_error(self) -> str | None:
        """What is wrong with the web-config file since it changed, or None."""
        return self._door.refresh()

    def publish(
        self,
        observation: Observation,
        standings: Sequence[Standing],
        now: datetime,
        *,
        config_error: str | None = None,
    ) -> None:
        """Make the page, the API and the agent's own metrics show this moment."""
        self._delivery.wake()
        status = snapshot(
            self.config,
            self._state.connection,
            observation,
            standings,
            now,
            version=self._version,
            started_at=self._started_at,
            enforced=self._enforced,
        )
        backed_up = (backup.app for backup in status.backups if backup.last_success_at)
        self._charter.find(observation, backed_up, now, time.monotonic())
        status = replace(status, charter=self._charter.points)
        self._sampler.put("house", self._families(observation, status))
        self._sampler.put("charter", self._charter.families)
        judged = rule_families(
            self.config, observation.colocation, self._state, standings, now, is_config_good=config_error is None
        )
        self._sampler.put("rules", judged)
        self._status = status
        if self._poster is not None:
            self._poster.offer(self._state.connection, now)
        if time.monotonic() - self._saved_at > _SAVE_SECONDS:
            self._memory.save(self._state)
            remember(self._pinger, self._state)
            self._saved_at = time.monotonic()
        self._charter.save_when_due(now)

    def alive(self, clock: float) -> bool:
        """True when sampler and delivery have both moved lately; the daemon feeds the watchdog only then."""
        return all_moved((self._sampler, self._delivery), self._since, clock)

    def beat(self, now: datetime) -> None:
        """The daemon has decided and written: together with sampler and outbox that was a full round."""
        if self._heart.beat(now, time.monotonic()) and self._pinger is not None:
            self._pinger.ping()

    def _families(self, observation: Observation, status: Status) -> list[Metric]:
        colocation, name = observation.colocation, self.config.coloc
        return [
            *name_families(colocation, coloc=name.name, kind=name.kind, version=self._version),
            *status_families(status, colocation),
            *incident_families(open_by_severity(status.incidents)),
            *delivery_families(self._state.connection, self._delivery.counts),
            *pinger_families(self._pinger),
            *poster_families(self._poster),
            *foreign_families(self._foreign),
        ]

    def _routes(self) -> dict[str, Route]:
        shelf = Shelf(lambda: self._status, self.config.coloc.language, self._remembered)
        return {
            **scrape_routes(self._sampler.exposition, lambda: self._status is not None),
            **page_routes(shelf),
            **({PUBLIC: public_route(shelf, self._links)} if self._links else {}),
            "/heartbeat": heartbeat_route(self.config.coloc.name, self._heart, lambda: self._status or self._earlier),
            "/api/v1/status": self._api,
            "/api/v1/incidents": past_route(self.config, self._state.path),
        }

    def _api(self, _: Request) -> Response:
        if self._status is None:
            return _NOTHING_YET
        return Response(json.dumps(to_json(self._status), ensure_ascii=False).encode(), _JSON)


def spans_of(config: Config) -> dict[str, float]:
    """What rules and quotas ask to be remembered, and for how long."""
    asked = (
        SPANS,
        FAIR_SPANS if config.enforce and config.enforce.slices else {},
        custom_spans(config.custom_rules),
        quota_spans(config),
    )
    return {name: max(spans.get(name, 0.0) for spans in asked) for name in {key for spans in asked for key in spans}}


def build_house(config: Config, state: State, now: datetime, wake: Callable[[], None]) -> House:
    """The parts for a configuration, not yet started. Raises ColocError when the apps or a secret cannot be read.

    `wake`: somebody said something that the daemon should decide on now.
    """
    return House(config, state, now, wake)
