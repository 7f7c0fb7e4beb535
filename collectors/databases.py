"""Size, connections and time of each app's databases. Each kind is asked beside the others and costs only its own.

What servers answer is `coloc.databases.answers`', what becomes of it `database_families`'.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from prometheus_client.metrics_core import Metric

from collectors.aside import Aside
from collectors.backends import Backends
from collectors.database_families import Look, families, owners_of
from collectors.paths import below
from collectors.spending import Growth, Spending
from coloc.databases.answers import Answer, Ask
from coloc.errors import ColocError
from coloc.model import Colocation, Database, DatabaseKind

_BESIDE_SQLITE = ("-wal", "-journal")
_PATIENCE_SECONDS = 8.0


class DatabasesCollector:
    """The databases of each app, asked of the servers that hold them."""

    name = "databases"
    deadline_seconds = 30.0

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 60.0,
        askers: Mapping[DatabaseKind, Ask] | None = None,
        backends: Backends | None = None,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._root, self._patience = root, patience_seconds
        self._askers = askers or {}
        self._asides = {kind: Aside[Answer](kind.value) for kind in DatabaseKind}
        self._backends = backends or Backends()
        self._busy, self._cpu = Spending(), Spending()
        self._growth: dict[tuple[DatabaseKind, str], Growth[str]] = {}
        self._problems: dict[DatabaseKind, str] = {}

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Ask each kind of server once."""
        databases = {database for app in colocation.inventory.apps.values() for database in app.databases}
        asked = self._ask(databases)
        answers = self._answers(asked)
        spent = [self._charge(colocation, kind, answer) for kind, answer in answers.items()]
        for spending in (self._busy, self._cpu):
            spending.keep(colocation.inventory.apps)
        servers = [kind for kind in asked if kind is not DatabaseKind.SQLITE]
        yield from families(Look(colocation, servers, answers, self._busy, self._cpu, frozenset().union(*spent)))

    def limits(self) -> tuple[str, ...]:
        """Servers that did not answer at the last look."""
        return tuple(self._problems.values())

    def _ask(self, databases: set[Database]) -> list[DatabaseKind]:
        asked = []
        for kind in DatabaseKind:
            mine = sorted(database for database in databases if database.kind is kind)
            ask = partial(_sqlite, self._root, mine) if kind is DatabaseKind.SQLITE else self._askers.get(kind)
            if mine and ask is not None:
                self._asides[kind].begin(ask)
                asked.append(kind)
        return asked

    def _answers(self, asked: list[DatabaseKind]) -> dict[DatabaseKind, Answer]:
        end = time.monotonic() + self._patience
        answers, problems = {}, {}
        for kind in asked:
            try:
                answers[kind] = self._asides[kind].result(end - time.monotonic())
            except ColocError as error:
                problems[kind] = error.sentence()
        self._problems = problems
        return answers

    def _charge(self, colocation: Colocation, kind: DatabaseKind, answer: Answer) -> frozenset[tuple[str, str]]:
        """Add up what was spent since the last look; returns which of ("busy" or "cpu", kind) are known."""
        owners, told = owners_of(colocation, kind), set[tuple[str, str]]()
        cpu = self._backends.spent(answer) if kind is DatabaseKind.POSTGRESQL else self._grown(kind, "cpu", answer.cpu)
        for what, spending, grown in (
            ("busy", self._busy, self._grown(kind, "busy", answer.busy)),
            ("cpu", self._cpu, cpu),
        ):
            if grown is not None:
                spending.charge(colocation, kind, owners, grown)
                told.add((what, kind))
        return frozenset(told)

    def _grown(self, kind: DatabaseKind, what: str, told: Mapping[str, float] | None) -> dict[str, float] | None:
        growth = self._growth.setdefault((kind, what), Growth[str]())
        if told is None:
            growth.forget()
            return None
        return growth.since(told)


def _sqlite(root: Path, databases: Iterable[Database]) -> Answer:
    return Answer(sqlite_sizes(root, databases))


def sqlite_sizes(root: Path, databases: Iterable[Database]) -> dict[str, int]:
    """The size of each SQLite file with what was not merged into it yet; files that are not there are left out."""
    found = {}
    for database in databases:
        path = below(root, database.name)
        with suppress(OSError):
            found[database.name] = path.stat().st_size
            for suffix in _BESIDE_SQLITE:
                with suppress(OSError):
                    found[database.name] += path.with_name(path.name + suffix).stat().st_size
    return found
