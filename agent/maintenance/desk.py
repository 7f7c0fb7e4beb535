"""Where maintenances are declared, started, extended, ended and cancelled: by command, in a room, by the clock.

Everything happens inside the evaluator's transaction: what is decided and what is said of it stand together.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agent import incident_store
from agent.incidents import Phase as IncidentPhase
from agent.maintenance import store
from agent.maintenance.plan import Maintenance, Phase, Trouble, Word, as_asked, by_the_clock, declared
from agent.maintenance.telling import MaintenanceTeller
from agent.silences import Silence
from agent.telling import title
from coloc.config.whole import Config
from coloc.model import Colocation
from coloc.requests import Request

logger = logging.getLogger(__name__)
VERBS = frozenset({"start", "extend", "end", "cancel"})
_MOST_OPEN = 50


class Desk:
    """Works for one configuration, at one moment."""

    def __init__(self, connection: sqlite3.Connection, config: Config, colocation: Colocation, now: datetime) -> None:
        self._connection, self._config, self._colocation, self.now = connection, config, colocation, now
        self._teller = MaintenanceTeller(connection, config, colocation, now)

    def is_calm(self) -> bool:
        """True when time asks for nothing now."""
        return all(by_the_clock(one, self.now)[1] is None for one in store.open_ones(self._connection))

    def open_ones(self) -> list[Maintenance]:
        """Those that are planned or go on."""
        return store.open_ones(self._connection)

    def find(self, number: int) -> Maintenance | None:
        """One by its number, also when it is over."""
        return store.get(self._connection, number) if 0 < number < 2**63 else None

    def scope(self, about: str) -> tuple[str, str] | None:
        """(app, project) of a name that people write, ("", "") for the whole server; None when nothing is called so."""
        if about in self._colocation.inventory.apps:
            return about, ""
        return ("", about) if not about or about in self._config.projects else None

    def project_of(self, app: str, project: str) -> str:
        """Whose it is."""
        return self._colocation.project_of(app) if app else project

    def obey(self, request: Request) -> None:
        """Do what a command asked for; what cannot be is logged, the command has checked it before."""
        values = request.values
        verb, seconds = str(values.get("verb", "")), _seconds(values.get("seconds"))
        if verb == "declare":
            done: Maintenance | Trouble = self.declare(
                str(values.get("title", "")),
                str(values.get("by", "")),
                _moment(values.get("begins"), self.now),
                seconds,
                app=str(values.get("app", "")),
                project=str(values.get("project", "")),
            )
        else:
            number = values.get("maintenance")
            done = self.ask(number if isinstance(number, int) else 0, verb, seconds)
        if isinstance(done, Trouble):
            logger.warning("a maintenance could not be changed as asked", extra={"verb": verb, "why": str(done)})

    def declare(
        self, words: str, by: str, begins_at: datetime, length: timedelta, *, app: str = "", project: str = ""
    ) -> Maintenance | Trouble:
        """A new one, told at once; it begins at once when its hour is now."""
        if len(store.open_ones(self._connection)) >= _MOST_OPEN:
            return Trouble.TOO_MANY
        one = declared(
            " ".join(words.split())[:120] or "Maintenance",
            by[:60] or "?",
            self.now,
            begins_at,
            length,
            app=app[:100],
            project=project[:100],
        )
        if isinstance(one, Trouble):
            return one
        one = replace(one, id=store.save(self._connection, one))
        return self._say(one, Word.DECLARED)

    def ask(self, number: int, verb: str, span: timedelta) -> Maintenance | Trouble:
        """Start, extend, end or cancel the one of that number."""
        one = self.find(number)
        if one is None or verb not in VERBS:
            return Trouble.OVER
        done = as_asked(one, verb, self.now, span)
        return done if isinstance(done, Trouble) else self._say(*done)

    def follow_the_clock(self) -> None:
        """Begin, remind and tell overruns."""
        for known in store.open_ones(self._connection):
            one, word = by_the_clock(known, self.now)
            while word is not None:
                one, word = by_the_clock(self._say(one, word), self.now)

    def silences(self) -> list[Silence]:
        """What those that run keep quiet, as silences."""
        return running_silences(store.open_ones(self._connection), self.now)

    def _say(self, one: Maintenance, word: Word) -> Maintenance:
        if word is Word.ENDED:
            one = replace(one, broken=self._broken(one))
        one = replace(one, told=one.told + 1)
        store.save(self._connection, one)
        logger.info("maintenance", extra={"id": one.id, "change": str(word)})
        self._teller.tell(one, word)
        return one

    def _broken(self, one: Maintenance) -> tuple[str, ...]:
        language = self._config.coloc.language
        return tuple(
            title(incident, language, self._config)
            for incident in incident_store.open_incidents(self._connection).values()
            if one.covers(incident) and incident.phase is IncidentPhase.FIRING and not incident.cause
            if incident.rule != "maintenance_overrun"
        )


def running_silences(known: Iterable[Maintenance], now: datetime) -> list[Silence]:
    """What those that run keep quiet, as silences that bear their number. Pure."""
    return [
        Silence(
            one.started_at or one.begins_at,
            one.ends_at,
            one.by,
            labels={"app": one.app} if one.app else {"project": one.project} if one.project else {},
            why=one.title,
            maintenance=one.id,
        )
        for one in known
        if one.phase is Phase.RUNNING and one.is_quiet(now)
    ]


def _seconds(value: str | int | float | None) -> timedelta:
    """0 for nothing and for nonsense: such a length is refused."""
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e9:
        return timedelta(seconds=float(value))
    return timedelta(0)


def _moment(value: str | int | float | None, now: datetime) -> datetime:
    """Seconds since 1970; now when it was not said."""
    if isinstance(value, int | float) and math.isfinite(value) and 0 < value < 1e11:
        return datetime.fromtimestamp(float(value), UTC)
    return now
