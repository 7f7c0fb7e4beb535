"""Decides who hears of an incident and where, and writes it into the outbox. The words come from alerts.

The rules, in plain sentences:
* Matrix and the forum are used from the stage `alert` on; the console always. An incident lives in its project's room
  when it has one, else the machine's, and stays where it was first told, whatever coloc.yml says later. The forum hears
  of what is critical and half an hour old; when mail and the webhook speak, says `last_resorts.py`;
* an incident is one message per channel: the first is new, every later word edits it. What begins together within
  seconds is one message, a storm as well: it rings once, and names them all;
* how loudly, says `loudness.py`. What waits is told when its time has come; on the console the night is no reason
  to wait. A resolution is never swallowed: whoever heard of it, hears that it is over;
* in Matrix what happened also stays as a line in the message's thread, a silent notice unless it has to ring: it got
  worse, nobody took it on, what was held back would have rung, or what was critical or nobody's is over, all of it.
  Edits are silent there; elsewhere an edit rings when it got worse.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent import incident_store, told_store
from agent.aged import aged
from agent.incidents import Change, Incident, Phase, Severity
from agent.last_resorts import last_resorts_for, room_of, says_more
from agent.loudness import Loudness
from agent.told_store import Place
from alerts import messages, together
from alerts.history import history_line
from alerts.hushing import heard_from
from coloc import outbox
from coloc.config.channels import LAST_RESORTS
from coloc.config.whole import Config
from coloc.outbox import Kind


@dataclass(frozen=True, slots=True)
class Route:
    """One place where an incident is told."""

    channel: str
    target: str
    language: str


@dataclass(frozen=True, slots=True)
class Tidings:
    """An incident as it stands, what changed of it this time, and how loudly it may be told."""

    incident: Incident
    change: Change | None
    loudness: Loudness


@dataclass(slots=True)
class _Words:
    """What one turn has to say at one message or place: the incidents, and whether it rings."""

    incidents: list[Incident] = field(default_factory=list)
    rings: bool = False

    def add(self, incident: Incident, *, rings: bool) -> None:
        self.incidents.append(incident)
        self.rings = self.rings or rings


@dataclass(slots=True)
class _Turn:
    """All that one turn has to say."""

    news: dict[Route, _Words] = field(default_factory=dict)
    edits: dict[Place, _Words] = field(default_factory=dict)
    lines: dict[Place, list[tuple[Incident, Change, bool]]] = field(default_factory=dict)

    def edit(self, place: Place, incident: Incident, *, rings: bool) -> None:
        self.edits.setdefault(place, _Words()).add(incident, rings=rings)

    def line(self, place: Place, incident: Incident, change: Change, *, rings: bool) -> None:
        self.lines.setdefault(place, []).append((incident, change, rings))


class Teller:
    """Writes messages for one configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def tell(self, connection: sqlite3.Connection, tidings: Iterable[Tidings], now: datetime) -> list[Incident]:
        """Add what all this makes us say, in the caller's transaction; returns the incidents whose marks changed."""
        turn = _Turn()
        changed: dict[int, Incident] = {}
        for item in tidings:
            after = self._sort(connection, item, turn, now)
            if after != item.incident:
                changed[after.id] = after
        for incident in changed.values():
            incident_store.update(connection, incident)
        for route, words in turn.news.items():
            self._begin(connection, route, words, turn, now)
        for place, words in turn.edits.items():
            first = words.incidents[0]
            key = f"{place.about}:{first.id}.{first.told}"
            self._write(connection, place, words, now, key=key, kind=Kind.EDIT)
        for place, lines in turn.lines.items():
            self._write_lines(connection, place, lines, now)
        return list(changed.values())

    def _sort(self, connection: sqlite3.Connection, item: Tidings, turn: _Turn, now: datetime) -> Incident:
        """Put one incident where it belongs; returns it with its marks."""
        incident, over = item.incident, item.incident.phase is Phase.RESOLVED
        told = told_store.places(connection, incident.id)
        last = last_resorts_for(connection, self._config, incident, item.loudness, told, now=now)
        routes = [*self.routes(incident, now), *(Route(name, name, self._language(name)) for name in last)]
        unheard = [route for route in routes if route.channel not in told]
        now_heard = [route for route in unheard if _begins(route, item)]
        waits = _what_waits(item, is_told=bool(told), all_heard=len(now_heard) == len(unheard))
        due = bool(incident.held) and not waits and not over and item.loudness.is_heard
        change = item.change or (Change.WORSE if due else None)
        if change is None and not now_heard:
            return replace(incident, held=waits)
        escalated = incident.escalated or change is Change.ESCALATED
        incident = replace(incident, held=waits, told=incident.told + 1, escalated=escalated)
        loud = item.loudness is Loudness.RINGS
        if change is not None:
            for place in told.values():
                if place.channel in LAST_RESORTS:
                    rings = loud and rings_in_thread(incident, change, now)
                    if not says_more(connection, self._config, place, change, now, rings=rings):
                        continue
                _retell(place, incident, change, turn, loud=loud, now=now)
        for route in now_heard:
            turn.news.setdefault(route, _Words()).add(incident, rings=loud and not over)
        return incident

    def _begin(self, connection: sqlite3.Connection, route: Route, words: _Words, turn: _Turn, now: datetime) -> None:
        """What is new at one place: a message of its own, or part of the one that began seconds ago."""
        last = told_store.last_message(connection, route.channel, route.target)
        numbers = [incident.id for incident in words.incidents]
        if last is not None and told_store.may_join(last, now, rings=words.rings):
            place = Place(route.channel, route.target, last.about)
            told_store.remember(connection, numbers, place, now, rings=last.rings)
            for incident in words.incidents:
                turn.edit(place, incident, rings=False)
            return
        leader = min(words.incidents, key=_importance)
        place = Place(route.channel, route.target, f"incident:{leader.id}:{route.channel}:{route.target}")
        told_store.remember(connection, numbers, place, now, rings=words.rings)
        self._write(connection, place, words, now, key=place.about, kind=Kind.NEW)

    def _write(
        self, connection: sqlite3.Connection, place: Place, words: _Words, now: datetime, *, key: str, kind: Kind
    ) -> None:
        known = [incident_store.get(connection, number) for number in told_store.told_by(connection, place.about)]
        incidents = sorted((each for each in known if each is not None), key=_importance)
        message = self._message(incidents, self._language(place.channel), now)
        if place.channel == "matrix" and kind is Kind.EDIT and (before := self._heard_before(connection, place)):
            message = messages.told_elsewhere(message, before, self._language(place.channel))
        outbox.add(
            connection,
            channel=place.channel,
            target=place.target,
            kind=kind,
            key=key,
            about=place.about,
            message=replace(message, rings=words.rings),
            now=now,
        )

    def _write_lines(
        self,
        connection: sqlite3.Connection,
        place: Place,
        lines: Sequence[tuple[Incident, Change, bool]],
        now: datetime,
    ) -> None:
        """What happened, as one line or a few in the thread of a message."""
        language = self._language(place.channel)
        known = [incident_store.get(connection, number) for number in told_store.told_by(connection, place.about)]
        all_over = all(each is None or each.phase is Phase.RESOLVED for each in known)
        rings = any(loud and (change is not Change.RESOLVED or all_over) for _, change, loud in lines)
        words = [
            history_line(str(change), incident_text(incident, now), language, self._config.zone)
            for incident, change, _ in lines
        ]
        said = [word for word in words if word is not None]
        if not said:
            return
        first = lines[0][0]
        outbox.add(
            connection,
            channel=place.channel,
            target=place.target,
            kind=Kind.REPLY,
            key=f"{place.about}:{first.id}.{first.told}:line",
            about=place.about,
            message=replace(together.joined(said, language), rings=rings),
            now=now,
        )

    def _message(self, incidents: Sequence[Incident], language: str, now: datetime) -> outbox.Message:
        texts = [incident_text(incident, now) for incident in incidents]
        if len(texts) == 1:
            return messages.incident_message(texts[0], language, self._config.zone)
        return together.group_message(texts, language, self._config.zone)

    def _heard_before(self, connection: sqlite3.Connection, place: Place) -> list[str]:
        """The last resorts that spoke for Matrix; one that always speaks did not."""
        told = heard_from(connection, place.about)
        return [name for name in told if not getattr(getattr(self._config.channels, name), "always", True)]

    def _language(self, channel: str) -> str:
        described = getattr(self._config.channels, channel, None)
        return getattr(described, "language", None) or self._config.coloc.language

    def routes(self, incident: Incident, now: datetime) -> Iterator[Route]:
        """Where an incident is told at this stage, when nobody heard of it yet.

        That a channel does not take our messages is told on the others, and always in the journal.
        """
        mute = dict(incident.labels).get("channel", "") if incident.rule == "messages_waiting" else ""
        found = [route for route in self._routes(incident, now) if route.channel != mute]
        yield from found
        if mute and mute != "console" and not any(route.channel == "console" for route in found):
            yield Route("console", "console", self._language("console"))

    def _routes(self, incident: Incident, now: datetime) -> Iterator[Route]:
        channels = self._config.channels
        if channels.console is not None or (channels.matrix is None and channels.forum is None):
            yield Route("console", "console", self._language("console"))
        if not self._config.reaches("alert"):
            return
        if channels.matrix is not None:
            yield Route("matrix", room_of(self._config, incident), self._language("matrix"))
        if channels.forum is not None and any(aged([incident], now)):
            yield Route("forum", str(channels.forum.topic), self._language("forum"))


def rings_in_thread(incident: Incident, change: Change, now: datetime) -> bool:
    """Whether the line in the thread rings: it got worse, nobody took it on, or people wait to hear that it is over."""
    if change in {Change.WORSE, Change.ESCALATED}:
        return not incident.silenced(now) and not incident.acked_by
    if change is Change.RESOLVED:
        return not incident.silenced(now) and (incident.severity is Severity.CRITICAL or not incident.acked_by)
    return False


def _retell(place: Place, incident: Incident, change: Change, turn: _Turn, *, loud: bool, now: datetime) -> None:
    """A word more about what a place knows: an edit, and in Matrix a line in the thread."""
    rings = loud and rings_in_thread(incident, change, now)
    if change is not Change.ESCALATED or place.channel in LAST_RESORTS:
        turn.edit(place, incident, rings=rings and change is Change.WORSE and place.channel != "matrix")
    if place.channel == "matrix" and (rings or change is not Change.ESCALATED):
        turn.line(place, incident, change, rings=rings)


def _begins(route: Route, item: Tidings) -> bool:
    """True when an incident that a place did not hear of yet is told there now."""
    heard = item.loudness.is_heard or (item.loudness is Loudness.NIGHT and route.channel == "console")
    if item.incident.phase is Phase.RESOLVED:  # of what the night held back, the morning's digest tells all the same
        return item.loudness.is_heard and item.incident.held == Loudness.NIGHT
    return heard and item.incident.phase is Phase.FIRING


def _what_waits(item: Tidings, *, is_told: bool, all_heard: bool) -> str:
    """The mark `held` after this turn: why a word that is due was not said."""
    incident = item.incident
    if incident.phase is Phase.RESOLVED:
        is_night = Loudness.NIGHT in {incident.held, item.loudness} and not item.loudness.is_heard
        return Loudness.NIGHT if is_night and incident.held and not all_heard else ""
    if incident.phase is Phase.CLEARING:
        return incident.held
    if item.loudness.is_heard:
        return ""
    is_due = item.change in {Change.FIRED, Change.WORSE} or bool(incident.held) or not is_told
    return str(item.loudness) if is_due and (item.change is Change.WORSE or not all_heard or incident.held) else ""


def _importance(incident: Incident) -> tuple[bool, int, int]:
    """Open ones first, the worst first, then the oldest."""
    order = list(reversed(Severity))
    return incident.phase is Phase.RESOLVED, order.index(incident.severity), incident.id


def title(incident: Incident, language: str, config: Config) -> str:
    """The one line that names an incident on the page."""
    return messages.incident_title(
        incident_text(incident, incident.fired_at or incident.pending_since), language, config.zone
    )


def incident_text(incident: Incident, now: datetime) -> messages.IncidentText:
    """The facts of an incident, as messages and reports need them."""
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
        unstable=incident.unstable,
        followers=incident.followers,
    )
