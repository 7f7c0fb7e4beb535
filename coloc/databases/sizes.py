"""Bytes of databases, for whoever measures: one query for all databases of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from coloc.command import Run, run
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from coloc.model import Database, DatabaseKind

Sizes = Callable[[Iterable[Database]], Mapping[Database, int]]


def size_readers(servers: Servers, *, run: Run = run) -> dict[DatabaseKind, Sizes]:
    """For each kind of server a function that tells the sizes of the databases that it knows. They raise ColocError."""

    def of_mysql(databases: Iterable[Database]) -> Mapping[Database, int]:
        found = mysql.sizes(servers, run=run)
        return {database: found[database.name] for database in databases if database.name in found}

    def of_postgresql(databases: Iterable[Database]) -> Mapping[Database, int]:
        wanted = list(databases)
        found = postgresql.sizes(servers, [database.name for database in wanted], run=run)
        return {database: found[database.name] for database in wanted if database.name in found}

    return {DatabaseKind.MYSQL: of_mysql, DatabaseKind.POSTGRESQL: of_postgresql}
