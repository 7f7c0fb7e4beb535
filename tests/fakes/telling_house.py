"""A real evaluator on a real state.db, whose apps are up or down as a test says, and what it has to say in a room."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent import incident_store
from agent.backup_store import FactReader
from agent.chat import Chat
from agent.evaluator import Evaluator
from agent.incidents import Incident
from agent.observation import Observation
from agent.telling import Teller
from collectors.usage import AppUsage, Usage
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.model import App, Database, DatabaseKind
from coloc.requests import Request
from coloc.state import open_state
from tests.fakes.colocations import colocation

NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # a Monday, 12:00 in Paris
ROOM = "!all:m.test"
CHANNELS = {"matrix": {"homeserver": "https://m.test", "room": ROOM}, "console": {}}


@dataclass(frozen=True)
class Said:
    """A row of the outbox. `text` without what is bold or a link."""

    channel: str
    kind: str
    about: str
    text: str
    rings: bool


class TellingHouse:
    """Call `see` with the apps that are down; time goes on by five seconds each."""

    def __init__(self, folder: Path, *, count: int = 3, **config: Any) -> None:
        values: dict[str, Any] = {"coloc": {"name": "c", "language": "en"}, "stage": "alert", "channels": CHANNELS}
        values["rules"] = {"app_down": {"wait": 0, "clear_after": 0}}
        values["rules"] |= config.pop("rules", {})
        self.config = Config.model_validate(values | config)
        names = [f"a{number}" for number in range(count)]
        databases = (Database(DatabaseKind.MYSQL, "x"),)
        self.colocation = colocation(*(App(name, name, name.upper(), databases=databases) for name in names))
        self.now, self.path = NOON, folder / "state.db"
        self._spool = Spool(folder / "facts")
        self.open()

    def open(self) -> None:
        """As after a restart."""
        self.state = open_state(self.path)
        reader = FactReader(self.state, self._spool)
        self._evaluator = Evaluator(self.state, reader, Teller(self.config).tell, chat=Chat(self.config))

    def reopen(self) -> None:
        self.state.close()
        self.open()

    def see(
        self, *down: str, after: float = 5, unknown: tuple[str, ...] = (), ask: Mapping[str, Any] | None = None
    ) -> None:
        self.now += timedelta(seconds=after)
        usage = {
            name: AppUsage(name, "_none", up=None if name in unknown else name not in down)
            for name in self.colocation.inventory.apps
        }
        values = dict(ask or {})
        number = str(values.pop("id", uuid.uuid4().hex))
        asked = [Request(number, str(values.pop("kind")), values)] if ask else []
        self._evaluator.evaluate(self.config, Observation(self.colocation, Usage(usage)), asked, self.now)

    def said(self, channel: str = "matrix") -> list[Said]:
        rows = self.state.connection.execute("SELECT * FROM outbox WHERE channel = ? ORDER BY id", (channel,))
        found = []
        for row in rows:
            payload = json.loads(row["payload"])
            found.append(Said(row["channel"], row["kind"], row["about"], payload["text"], payload["rings"]))
        return found

    def rings(self) -> int:
        return sum(item.rings for item in self.said())

    def incidents(self) -> list[Incident]:
        rows = self.state.connection.execute("SELECT id FROM incidents WHERE fired_at IS NOT NULL ORDER BY id")
        found = [incident_store.get(self.state.connection, row["id"]) for row in rows]
        return [each for each in found if each is not None]
