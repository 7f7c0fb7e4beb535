"""The daemon: one loop that looks, decides, wakes the nightly run and feeds the watchdog. It alone writes state.db.

Sampling, outbox and watchdog go by the monotonic clock; agent.rhythm gives the slower wake-ups; what is due is decided
by agent.due, from state and now.
"""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import FrameType

from agent import backup_store
from agent.announce import announced
from agent.doorbell import Doorbell
from agent.due import host_is_due
from agent.evaluator import Evaluator
from agent.house import House, build_house
from agent.notify import Notifier
from agent.only_one import only_one
from agent.reading_aside import load_config_aside
from agent.rhythm import Clocks, Rhythm
from agent.runner import Runner
from coloc import requests
from coloc.config.whole import Config
from coloc.errors import ColocError, StateError
from coloc.facts import Spool
from coloc.state import State, disk_is_full, open_state
from coloc.times import iso, parse_iso

logger = logging.getLogger(__name__)
_LOOK_FOR_ROOM_SECONDS = 5.0
_BREATH_SECONDS = 0.1  # between two looks, whoever rings
_LISTEN_SECONDS = 1.0
_ASK_AGAIN = timedelta(hours=1)
_KEEP_DAYS = 60  # history in state.db; longer than a fact stays in the spool, so that none is taken twice


class Daemon:
    """The running agent."""

    def __init__(
        self, config_path: Path, *, runner: Runner, notifier: Notifier, say: Callable[[str], None], clocks: Clocks
    ) -> None:
        self._config_path, self._runner, self._notifier, self._say = config_path, runner, notifier, say
        self._clocks = clocks
        self._stop, self._reload = threading.Event(), threading.Event()
        self._wake = threading.Event()
        self._config_error: str | None = None

    def run(self, config: Config) -> None:
        """Serve until SIGTERM or SIGINT. Raises ColocError when it cannot even begin."""
        with only_one(config.paths.state):
            self._serve(config)

    def _serve(self, config: Config) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        state = self._open(config.paths.state / "state.db")
        try:
            state.keep_reserve()
            house = build_house(config, state, self._clocks.now(), self._wake.set)
        except BaseException:
            state.close()
            raise
        try:
            house.start()
            self._notifier.ready(f"{config.coloc.name}: stage {config.stage}")
            # Modules and what they hold are there for good: the collector of garbage need not walk them every minute.
            gc.collect()
            gc.freeze()
            self._say(f"agent started: {house.url} (stage {config.stage})")
            self._loop(config, state, house)
        finally:
            self._notifier.stopping()
            self._runner.stop()
            house.stop()
            state.close()
            logger.info("agent stopped")

    def _open(self, path: Path) -> State:
        """The state; on a full disk we say so once and wait for room, since ending would give us none."""
        said = False
        while True:
            try:
                return open_state(path)
            except StateError as error:
                if not disk_is_full(path.parent) or self._stop.is_set():
                    raise
                if not said:
                    logger.error("no room for the state", extra={"why": error.sentence()})
                    self._say(f"the agent waits for room: {error.sentence()}")
                    self._notifier.ready(f"waits for room: {error.sentence()}")
                said = True
                self._notifier.alive()
                self._wake.wait(_LOOK_FOR_ROOM_SECONDS)
                self._wake.clear()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()
        self._wake.set()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload.set()
        self._wake.set()

    def _loop(self, config: Config, state: State, house: House) -> None:
        evaluator = Evaluator(
            state, backup_store.FactReader(state, Spool(config.paths.facts)), house.tell, chat=house.chat
        )
        rhythm = Rhythm(self._clocks, partial(self._tidy, state))
        started_at, bell = self._clocks.monotonic(), Doorbell(config)
        while not self._stop.is_set():
            if self._reload.is_set():
                self._reload.clear()
                house = self._take_new_config(house, state)
                evaluator = Evaluator(
                    state, backup_store.FactReader(state, Spool(house.config.paths.facts)), house.tell, chat=house.chat
                )
                bell = Doorbell(house.config)
            begun = self._clocks.monotonic()
            bell.answer()
            quiet = self._clocks.monotonic() - started_at < house.config.startup_quiet
            self._tick(house, state, evaluator, rhythm, quiet=quiet)
            self._rest(bell, begun + house.config.sampling.every)

    def _rest(self, bell: Doorbell, until: float) -> None:
        """Until the next look is due, or somebody asks for something: then at once."""
        self._stop.wait(_BREATH_SECONDS)
        while (left := until - self._clocks.monotonic()) > 0 and not self._wake.wait(min(left, _LISTEN_SECONDS)):
            if bell.rings():
                break
        self._wake.clear()

    def _tick(self, house: House, state: State, evaluator: Evaluator, rhythm: Rhythm, *, quiet: bool) -> None:
        now = self._clocks.now()
        try:
            observation = house.look(now)
            asked = requests.waiting(house.config.paths.requests)
            config_error = self._config_error or house.file_error()
            try:
                new = evaluator.evaluate(house.config, observation, asked, now, quiet=quiet, config_error=config_error)
                for line in announced(new, house.config.coloc.language):
                    self._say(line)
                requests.remove(house.config.paths.requests, asked)  # not before: a kill or a full disk loses none
            except StateError:
                raise
            except Exception:  # one of them may be why: they are given up, and the log says so
                requests.remove(house.config.paths.requests, asked)
                raise
            finally:  # what could not be written down is shown all the same
                seen = replace(observation, blind_spots=(*_no_room(state), *observation.blind_spots))
                standings = evaluator.standings(house.config, observation, now)
                house.publish(seen, standings, now, config_error=config_error)
            house.enforce(observation, evaluator.latest, now)
            rhythm.beat()
            if not quiet:
                self._back_up_when_due(house.config, state, now)
        except StateError as error:
            # A full disk: history goes first; what is decided is decided again at the next tick.
            logger.error("the state cannot be written", extra={"why": error.sentence()})
            self._make_room(state)
            if disk_is_full(state.path.parent) and house.alive(self._clocks.monotonic()):
                self._notifier.alive()  # a restart would not give us room
        except Exception:  # one tick of the daemon: the next may be better, and the watchdog counts
            logger.exception("a tick failed")
        else:
            house.beat(now)
            if house.alive(self._clocks.monotonic()):
                self._notifier.alive()

    def _make_room(self, state: State) -> None:
        try:
            state.give_up_history()
        except StateError as error:
            logger.error("no room even for messages", extra={"why": error.sentence()})

    def _back_up_when_due(self, config: Config, state: State, now: datetime) -> None:
        if not config.reaches("backup"):
            return
        started = backup_store.host_starts(state.connection, now)
        due = [
            name
            for name, host in config.backup.hosts.items()
            if host_is_due(host, config.backup.at, (started.get(name),), config.zone, now)
        ]
        if not due or not self._may_ask(state, now):
            return
        logger.info("a nightly run is due", extra={"hosts": ", ".join(sorted(due))})
        self._runner.start_backup()
        with state.transaction():
            state.put("backup_asked_at", iso(now))

    def _may_ask(self, state: State, now: datetime) -> bool:
        """What was asked for a moment ago has perhaps not begun; an hour later it is asked again."""
        remembered = state.get("backup_asked_at")
        return remembered is None or abs(now - parse_iso(remembered)) > _ASK_AGAIN

    def _tidy(self, state: State) -> None:
        state.tidy(iso(self._clocks.now() - timedelta(days=_KEEP_DAYS)))
        state.keep_reserve()

    def _take_new_config(self, house: House, state: State) -> House:
        """A bad file changes nothing: it is logged, raises an incident, and the old house goes on."""
        self._notifier.reloading()
        try:
            config = load_config_aside(self._config_path)
            if config.paths != house.config.paths:
                raise ColocError(
                    "paths: cannot change while the agent runs", hint="restart it: systemctl restart coloc-agent"
                )
            new = build_house(config, state, self._clocks.now(), self._wake.set)
        except ColocError as error:
            self._config_error = error.sentence()
            logger.error("the new configuration cannot be used", extra={"why": self._config_error})
            self._notifier.ready("the new configuration cannot be used; the old one goes on")
            return house
        self._config_error = None
        new.follow(house)
        house.stop()
        try:
            new.start()
        except ColocError as error:  # a listen address that is taken, say
            self._config_error = error.sentence()
            logger.error("the new configuration cannot be started", extra={"why": self._config_error})
            house.start()
            self._notifier.ready("the new configuration cannot be started; the old one goes on")
            return house
        self._notifier.ready(f"{config.coloc.name}: stage {config.stage}")
        logger.info("configuration read again")
        return new


def _no_room(state: State) -> tuple[str, ...]:
    if not disk_is_full(state.path.parent):
        return ()
    return (f"the state cannot be written: the disk of {state.path.parent} is full — free some space there",)
