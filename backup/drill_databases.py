"""The databases of a drill: fetched, loaded under a name that nobody else has, counted, and dropped again.

Events of MariaDB are not loaded: the server would run them. Everything else is, as a restore would.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backup import swap_postgresql
from backup.borg import Repository
from backup.drill_journal import DrillJournal
from backup.dump_rows import Lines
from backup.manifest import SavedDatabase
from backup.swap_postgresql import PostgresqlSwap
from coloc.command import Run
from coloc.databases import mysql, postgresql, sqlite
from coloc.databases.redis_scratch import try_dump
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from coloc.model import DatabaseKind

PREFIX = "coloc_drill_"
_BEGIN, _ENDS = b"-- Dumping events for database", (b"-- Dumping routines for database", b"-- Final view structure")


class WithoutEvents:
    """Hands a dump of mariadb-dump on without its section of events."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._leaving_out = write, False
        self._lines = Lines(self._line)
        self.feed, self.end = self._lines.feed, self._lines.end

    def _line(self, line: bytes) -> None:
        if line.startswith(_BEGIN):
            self._leaving_out = True
        elif self._leaving_out and line.startswith((*_ENDS, b"/*!40103 SET TIME_ZONE=@OLD", b"-- Dump completed")):
            self._leaving_out = False
        if not self._leaving_out:
            self._write(line)


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where databases are loaded for a while. Each is in the journal before it is made."""

    repository: Repository
    servers: Servers
    journal: DrillJournal
    folder: Path
    owner: str | None
    run: Run
    remaining: Callable[[], float]

    def load(self, database: SavedDatabase) -> str:
        """Fetch, load and count one; returns the name (or file) that it has meanwhile. Raises ColocError."""
        name = PREFIX + secrets.token_hex(8)
        dump = self.folder / f"{name}.dump"
        try:
            self._fetch(database, dump)
            if database.kind is DatabaseKind.SQLITE:
                _compare(database, sqlite.check_and_count(dump))
                return str(dump)
            if database.kind is DatabaseKind.REDIS:
                _compare(database, {**database.tables, **try_dump(dump)})
                return str(dump)
            self.journal.leave(database.kind, name)
            if database.kind is DatabaseKind.MYSQL:
                _compare(database, self._load_mysql(database, name, dump))
            else:
                _compare(database, self._load_postgresql(database, name, dump))
        except BaseException:
            dump.unlink(missing_ok=True)
            with suppress(ColocError):  # the server may be the trouble: it stays in the journal, and goes another time
                self.drop(database.kind, name)
            raise
        dump.unlink()
        return name

    def drop(self, kind: DatabaseKind, name: str) -> None:
        """It goes again. Raises ColocError."""
        if kind in {DatabaseKind.SQLITE, DatabaseKind.REDIS}:
            (self.folder / name).unlink(missing_ok=True)
            return
        drop_scratch(kind, name, self.servers, run=self.run)
        self.journal.gone(kind, name)

    def _load_mysql(self, database: SavedDatabase, name: str, dump: Path) -> Mapping[str, int]:
        mysql.create(self.servers, name, like=database.name, run=self.run)
        mysql.load(self.servers, name, dump, timeout=self.remaining(), run=self.run)
        return mysql.row_counts(self.servers, name, database.tables, run=self.run)

    def _load_postgresql(self, database: SavedDatabase, name: str, dump: Path) -> Mapping[str, int]:
        existed = postgresql.exists(self.servers, database.name, run=self.run)
        swap = PostgresqlSwap(database.name, name, "", existed)
        swap_postgresql.create_scratch(swap, self.servers, owner=self.owner or database.name, run=self.run)
        postgresql.load(self.servers, name, dump, timeout=self.remaining(), run=self.run)
        return postgresql.row_counts(self.servers, name, run=self.run)

    def _fetch(self, database: SavedDatabase, to: Path) -> None:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            kept = WithoutEvents(file.write) if database.kind is DatabaseKind.MYSQL else None

            def take(piece: bytes) -> None:
                nonlocal size
                kept.feed(piece) if kept else file.write(piece)
                digest.update(piece)
                size += len(piece)

            self.repository.stream_member(database.archive, database.file, take, timeout=self.remaining())
            if kept:
                kept.end()
        if (size, digest.hexdigest()) != (database.bytes, database.sha256):
            raise ColocError(
                f"the dump of {database.name} came back different ({size} bytes, {database.bytes} were saved)",
                hint="check this repository, and drill another host",
            )


def drop_scratch(kind: str, name: str, servers: Servers, *, run: Run) -> None:
    """Remove a scratch database, and nothing that is not called as one. Raises ColocError."""
    if not name.startswith(PREFIX):
        raise ValueError(f"{name!r} is no scratch database")
    (mysql if kind == DatabaseKind.MYSQL else postgresql).drop(servers, name, run=run)


def _compare(database: SavedDatabase, found: Mapping[str, int]) -> None:
    for table, rows in database.tables.items():
        if found.get(table) != rows:
            raise ColocError(
                f"{database.name}: table {table!r} came back with {found.get(table)} rows, {rows} were saved",
                hint="drill another host; compare the app's own figures with it",
            )
