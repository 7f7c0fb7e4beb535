"""Writes what is said of a maintenance into the outbox: one message at each place, edited as it goes on.

The rules, in plain sentences:
* it is told in the machine's room, the rooms of the projects that it concerns, the community's help room, and on the
  forum's thread, from the stage `alert` on; on the console where there is one, or nothing else;
* nothing of it rings; only an overrun does, as an incident of its own;
* in Matrix what happened also stays as a line in the thread, and the reminder is a message of its own; the forum has
  the one post.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from agent.maintenance import store
from agent.maintenance.plan import Maintenance, Phase, Word
from alerts.maintenance import MaintenanceText, maintenance_line, maintenance_message, maintenance_reminder
from coloc import outbox
from coloc.config.whole import Config
from coloc.model import Colocation
from coloc.outbox import Kind, Message

_LINES = frozenset({Word.STARTED, Word.EXTENDED, Word.OVERRUN, Word.ENDED, Word.CANCELLED})


class MaintenanceTeller:
    """Writes for one configuration, inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, config: Config, colocation: Colocation, now: datetime) -> None:
        self._connection, self._config, self._colocation, self._now = connection, config, colocation, now

    def tell(self, one: Maintenance, word: Word) -> None:
        """Say what changed; `one.told` counts these times, so that each is said once."""
        known = store.places(self._connection, one.id)
        if not known:
            for channel, target in self._routes(one):
                about = f"maintenance:{one.id}:{channel}:{target}"
                store.remember_place(self._connection, one.id, channel, target, about)
                self._add((channel, target), Kind.NEW, about, about, self._message(one, channel))
            return
        for channel, target, about in known:
            key = f"{about}:{one.told}"
            if word is not Word.REMINDED:
                self._add((channel, target), Kind.EDIT, key, about, self._message(one, channel))
            if word in _LINES and channel == "matrix":
                line = maintenance_line(self._text(one), self._language(channel), self._config.zone)
                self._add((channel, target), Kind.REPLY, f"{key}:line", about, line)
            if word is Word.REMINDED and channel != "forum":
                reminder = maintenance_reminder(self._text(one), self._language(channel), self._config.zone)
                self._add((channel, target), Kind.NEW, f"{key}:reminder", f"{key}:reminder", reminder)

    def _add(self, place: tuple[str, str], kind: Kind, key: str, about: str, message: Message) -> None:
        outbox.add(
            self._connection,
            channel=place[0],
            target=place[1],
            kind=kind,
            key=key,
            about=about,
            message=message,
            now=self._now,
        )

    def _routes(self, one: Maintenance) -> Iterator[tuple[str, str]]:
        channels = self._config.channels
        if channels.console is not None or (channels.matrix is None and channels.forum is None):
            yield "console", "console"
        if not self._config.reaches("alert"):
            return
        if channels.matrix is not None:
            rooms = [channels.matrix.room, *self._rooms(one), channels.matrix.help_room]
            yield from (("matrix", room) for room in dict.fromkeys(rooms) if room)
        if channels.forum is not None:
            yield "forum", str(channels.forum.topic)

    def _rooms(self, one: Maintenance) -> list[str | None]:
        """The rooms of the projects that it concerns: all of them when it is the whole server."""
        projects = self._config.projects
        if one.app:
            names = [name for name in self._colocation.shares.get(one.app, {}) if name in projects]
        else:
            names = [one.project] if one.project in projects else ([] if one.project else list(projects))
        return [projects[name].room for name in names]

    def _message(self, one: Maintenance, channel: str) -> Message:
        return maintenance_message(self._text(one), self._language(channel), self._config.zone)

    def _text(self, one: Maintenance) -> MaintenanceText:
        is_late = one.phase is Phase.RUNNING and one.overrun
        return MaintenanceText(
            id=one.id,
            title=one.title,
            about=self._about(one),
            phase="overrun" if is_late else str(one.phase),
            begins_at=one.begins_at,
            ends_at=one.ends_at,
            started_at=one.started_at,
            ended_at=one.ended_at,
            broken=one.broken,
        )

    def _about(self, one: Maintenance) -> str:
        if one.app:
            app = self._colocation.inventory.apps.get(one.app)
            return f"{app.label} ({one.app})" if app and app.label != one.app else one.app
        project = self._config.projects.get(one.project)
        return (project.title if project else "") or one.project

    def _language(self, channel: str) -> str:
        described = getattr(self._config.channels, channel, None)
        return getattr(described, "language", None) or self._config.coloc.language
