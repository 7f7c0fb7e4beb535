"""Decides what people in rooms get: requests for the evaluator, and an answer where they wait for one.

A reaction or a command is a mark on an incident, kept with its event; taking it back removes the mark, and what the
other marks say counts again. People act on their own projects' incidents only (`commands_in_rooms.may`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent import chat_marks, incident_store, told_store
from agent.commands_in_rooms import DEFAULT_SILENCE, Wish, lives_in, may, person_of, understand
from agent.incidents import Incident, Phase
from agent.maintenance.desk import Desk
from agent.maintenance.in_rooms import maintenance_answer
from agent.telling import title
from alerts import answers
from coloc import heard, outbox
from coloc.config.whole import Config
from coloc.heard import Did, Heard
from coloc.outbox import Kind, Message
from coloc.requests import Request

_DIGEST = "told in "  # what the delivery writes on a row that a digest tells


@dataclass(frozen=True, slots=True)
class _Said:
    """One thing that was heard, with what it is about. `thread`: the key of the message that it refers to, or ""."""

    heard: Heard
    thread: str
    numbers: tuple[int, ...]
    now: datetime


class Chat:
    """Works for one configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        matrix = config.channels.matrix
        self._language = (matrix.language if matrix else None) or config.coloc.language

    def decide(self, connection: sqlite3.Connection, now: datetime, desk: Desk) -> list[Request]:
        """What was heard becomes requests and answers, inside the caller's transaction."""
        wanted: list[Request] = []
        for one in heard.waiting(connection):
            thread, numbers = _about(connection, one)
            wanted += self._decide(connection, _Said(one, thread, numbers, now), desk)
            heard.take(connection, one.id)
        return wanted

    def _decide(self, connection: sqlite3.Connection, said: _Said, desk: Desk) -> list[Request]:
        person = person_of(self._config, said.heard.sender)
        if person is None:
            self._answer(connection, said, "stranger")
            return []
        if said.heard.did is Did.TOOK_BACK:
            return list(self._undo(connection, said))
        if said.heard.did is Did.REACTED:
            wish = Wish("ack") if said.heard.text == "👀" else Wish("silence", span=DEFAULT_SILENCE)
            return list(self._mark(connection, said, wish, person)) if said.numbers else []
        wish = understand(said.heard.text)
        if wish.verb == "maintenance":
            self._say(connection, said, maintenance_answer(self._config, desk, wish.rest, person, self._language))
            return []
        return list(self._command(connection, said, wish, person))

    def _command(self, connection: sqlite3.Connection, said: _Said, wish: Wish, person: str) -> Iterator[Request]:
        if wish.trouble:
            self._answer(connection, said, "span" if wish.verb == "silence" else "none", example="!silence 12 2h")
        elif wish.verb in {"ack", "silence"}:
            yield from self._mark(connection, said, wish, person)
        elif wish.verb == "status":
            self._say(connection, said, answers.standing(list(self._open(connection, said)), self._language))
        elif wish.verb == "help":
            self._say(connection, said, answers.help_text(self._language))
        elif wish.verb == "test":
            self._answer(connection, said, "test", rings=True)
        else:
            self._answer(connection, said, wish.verb or "unknown")

    def _mark(self, connection: sqlite3.Connection, said: _Said, wish: Wish, person: str) -> Iterator[Request]:
        numbers = (wish.incident,) if wish.incident is not None else said.numbers
        until = said.heard.at + wish.span
        if not numbers:
            self._answer(connection, said, "none", example="!ack 12" if wish.verb == "ack" else "!silence 12 2h")
        elif wish.verb == "silence" and until <= said.now:
            self._answer(connection, said, "too late", time=said.heard.at)
        else:
            for number in numbers:
                incident = self._allowed(connection, said, number, person)
                if incident is not None:
                    chat_marks.add(connection, said.heard.event, incident, verb=wish.verb, by=person, until=until)
                    yield _request(said, wish.verb, number, person, until - said.now)
                    self._confirm(connection, said, wish.verb, number=number, who=person, time=until)

    def _allowed(self, connection: sqlite3.Connection, said: _Said, number: int, person: str) -> Incident | None:
        incident = incident_store.get(connection, number)
        if incident is None or incident.phase in {Phase.PENDING, Phase.RESOLVED}:
            if said.heard.did is Did.ASKED:
                self._answer(connection, said, "over", id=number)
            return None
        if not may(self._config, person, incident):
            self._answer(connection, said, "not yours", id=number)
            return None
        return incident

    def _confirm(
        self, connection: sqlite3.Connection, said: _Said, verb: str, *, time: datetime, number: int, who: str
    ) -> None:
        """A command outside the thread of its incident is answered where it was written; else the thread says it."""
        if said.heard.did is Did.ASKED and not said.thread:
            self._answer(connection, said, "acked" if verb == "ack" else "silenced", time=time, id=number, who=who)

    def _undo(self, connection: sqlite3.Connection, said: _Said) -> Iterator[Request]:
        """Only who did it takes it back; what others asked for stays."""
        was = heard.find(connection, said.heard.about)
        if was is None or was.sender != said.heard.sender:
            return
        for number, verb in chat_marks.remove(connection, was.event):
            by, until = chat_marks.standing(connection, number, verb)
            yield _request(said, f"un{verb}", number, by, (until or said.now) - said.now)

    def _open(self, connection: sqlite3.Connection, said: _Said) -> Iterator[str]:
        for incident in incident_store.open_incidents(connection).values():
            if incident.phase is not Phase.PENDING and lives_in(self._config, incident, said.heard.room):
                yield f"{title(incident, self._language, self._config)} [#{incident.id}]"

    def _answer(
        self,
        connection: sqlite3.Connection,
        said: _Said,
        which: str,
        *,
        rings: bool = False,
        time: datetime | None = None,
        **values: object,
    ) -> None:
        message = answers.answer(which, self._language, zone=self._config.zone, time=time, **values)
        self._say(connection, said, Message(message.text, message.html, rings))

    def _say(self, connection: sqlite3.Connection, said: _Said, message: Message) -> None:
        key = f"answer:{said.heard.event}"
        outbox.add(
            connection,
            channel="matrix",
            target=said.heard.room,
            kind=Kind.REPLY if said.thread else Kind.NEW,
            key=key,
            about=said.thread or key,
            message=message,
            now=said.now,
        )


def _request(said: _Said, kind: str, number: int, by: str, span: timedelta) -> Request:
    values: dict[str, str | int | float] = {"incident": number, "by": by, "seconds": max(0.0, span.total_seconds())}
    return Request(said.heard.event, kind, values)


def _about(connection: sqlite3.Connection, one: Heard) -> tuple[str, tuple[int, ...]]:
    """The message of ours that something refers to, in that very room, and the incidents that it tells."""
    row = None
    if one.about:
        row = connection.execute(
            "SELECT about FROM outbox WHERE remote_id = ? AND channel = 'matrix' AND target = ? ORDER BY id LIMIT 1",
            (one.about, one.room),
        ).fetchone()
    if row is None:
        return "", ()
    about = str(row["about"])
    folded = connection.execute("SELECT about FROM outbox WHERE error = ?", (_DIGEST + about,)).fetchall()
    keys = dict.fromkeys([about, *(str(each["about"]) for each in folded)])
    return about, tuple(dict.fromkeys(number for key in keys for number in told_store.told_by(connection, key)))
