"""How each kind of database is dumped: the command, and what is counted while its output passes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from backup.dump_rows import Lines, MysqlRows, PostgresqlRows
from backup.dump_spec import DumpResult, DumpSpec
from backup.pipes import pipe_to
from coloc.command import CommandFailed, Run, run
from coloc.databases import mysql, postgresql, redis, sqlite
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from coloc.model import DatabaseKind

_DAY = 24 * 3600.0
_PIECE = 1024 * 1024


class Stream:
    """Hands a dump on while it counts bytes, hash and rows."""

    def __init__(self, rows: MysqlRows | PostgresqlRows | None, write: Callable[[bytes], object]) -> None:
        self._digest, self._bytes, self._write = hashlib.sha256(), 0, write
        self._rows, self._lines = rows, Lines(rows.take) if rows else None

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        self._write(piece)
        self._digest.update(piece)
        self._bytes += len(piece)
        if self._lines:
            self._lines.feed(piece)

    def result(self) -> DumpResult:
        """What passed."""
        if self._lines:
            self._lines.end()
        tables = self._rows.tables if self._rows else {}
        return DumpResult(self._bytes, self._digest.hexdigest(), tables, bool(self._rows and self._rows.complete))


def dump(spec: DumpSpec, servers: Servers, write: Callable[[bytes], object], *, run: Run = run) -> DumpResult:
    """Write the dump of a database piece by piece. Raises ColocError; what was written is then worth nothing."""
    if spec.kind is DatabaseKind.SQLITE:
        return _dump_sqlite(spec, write)
    if spec.kind is DatabaseKind.REDIS:
        return _dump_redis(spec, servers, write)
    if spec.kind is DatabaseKind.MYSQL:
        stream = Stream(MysqlRows(), write)
        _pour(mysql_argv(servers, spec.name), stream, run=run)
    else:
        stream = Stream(PostgresqlRows(), write)
        _pour(postgresql_argv(spec.name), stream, run=run, servers=servers)
    result = stream.result()
    if not result.end_marker:
        raise ColocError(f"the dump of {spec.name!r} has no end", hint="look at the database server, then try again")
    return result


def mysql_argv(servers: Servers, name: str) -> list[str]:
    """One consistent moment, everything in the database, and nothing that ties it to its name."""
    mysql.identifier(name)
    return [
        "mariadb-dump",
        *servers.mysql_options(),
        *("--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob"),
        *("--default-character-set=utf8mb4", "--skip-dump-date", "--skip-lock-tables"),
        *("--max-allowed-packet=1G", "--", name),
    ]


def postgresql_argv(name: str) -> list[str]:
    """Plain SQL with owners and rights, loadable under another name."""
    connection = postgresql.connection(name)
    return ["pg_dump", "--format=plain", "--encoding=UTF8", "--no-password", f"--dbname={connection}"]


def _pour(argv: list[str], stream: Stream, *, run: Run, servers: Servers | None = None) -> None:
    env = servers.pg_env() if servers else None
    user = servers.pg_account() if servers else None
    try:
        with pipe_to(stream.feed) as end:
            run(argv, timeout=_DAY, stdout_to=end, env=env, user=user, cwd=Path("/"))
    except CommandFailed as error:
        raise (postgresql.told(error) if servers else mysql.told(error)) from error


def _dump_redis(spec: DumpSpec, servers: Servers, write: Callable[[bytes], object]) -> DumpResult:
    stream = Stream(None, write)
    tables = redis.dump(servers, redis.number_of(spec.name), stream.feed)
    counted = stream.result()
    return DumpResult(counted.bytes, counted.sha256, tables, True)


def _dump_sqlite(spec: DumpSpec, write: Callable[[bytes], object]) -> DumpResult:
    copy = Path(spec.staging) / "copy.sqlite"
    try:
        sqlite.copy_online(Path(spec.path), copy)
        tables = sqlite.check_and_count(copy)
        stream = Stream(None, write)
        with copy.open("rb") as file:
            while piece := file.read(_PIECE):
                stream.feed(piece)
    finally:
        copy.unlink(missing_ok=True)
    counted = stream.result()
    return DumpResult(counted.bytes, counted.sha256, tables, True)
