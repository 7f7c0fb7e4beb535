"""What a database server tells of everybody at one look: one query, one program, bounded; for whoever measures.

The server is asked to give up before we do, so that a slow query does not pile up behind us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from coloc.command import Run, run
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from coloc.model import DatabaseKind

_SECONDS = 6.0  # for the whole look; the server gives up a statement after four
_HINT = "is it up? if it refuses us: coloc-agent database-accounts create"


@dataclass(frozen=True, slots=True)
class Answer:
    """One look at a server, by its own names of databases and accounts.

    connections: by (account, database or ""), without ours. busy, cpu: seconds since the server's statistics began, by
    account (MariaDB) or database (PostgreSQL); None: it does not tell. backends: process → database. checkpointer: a
    process whose parent is that of all backends, 0 for none.
    """

    bytes: Mapping[str, int]
    connections: Mapping[tuple[str, str], int] = field(default_factory=dict)
    connections_max: int | None = None
    busy: Mapping[str, float] | None = None
    cpu: Mapping[str, float] | None = None
    backends: Mapping[int, str] = field(default_factory=dict)
    checkpointer: int = 0


Ask = Callable[[], Answer]

# Files of InnoDB as they lie on the disk, which PROCESS may see of everybody; then the tables of other engines.
_MYSQL = """\
SET max_statement_time = 4;
SELECT 'bytes', schema_name, 0, 0 FROM information_schema.schemata LIMIT 5000;
SELECT 'bytes', CONVERT(CONVERT(CAST(SUBSTRING_INDEX(name, '/', 1) AS BINARY) USING filename) USING utf8mb4) AS d,
  SUM(file_size), 0 FROM information_schema.innodb_sys_tablespaces WHERE name LIKE '%/%' GROUP BY d LIMIT 5000;
SELECT 'bytes', table_schema, SUM(data_length + index_length), 0 FROM information_schema.tables
  WHERE engine <> 'InnoDB' AND table_schema NOT IN ('information_schema', 'performance_schema', 'sys')
  GROUP BY table_schema LIMIT 5000;
SELECT 'connections', user, COALESCE(db, ''), COUNT(*) FROM information_schema.processlist
  WHERE id <> CONNECTION_ID() AND command <> 'Daemon' GROUP BY user, db LIMIT 5000;
SELECT 'server', @@max_connections, @@userstat, 0;
SELECT 'spent', user, busy_time, cpu_time FROM information_schema.user_statistics ORDER BY user LIMIT 5000;
"""
# to_jsonb: a server before 14 has no active_time, and then says nothing instead of failing.
_POSTGRESQL = """\
SET statement_timeout = '4s';
SELECT 'bytes', datname, pg_database_size(oid)::text, '' FROM pg_database WHERE datallowconn
UNION ALL SELECT 'connections', usename, coalesce(datname, ''), count(*)::text FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY usename, datname
UNION ALL SELECT 'server', current_setting('max_connections'), '', ''
UNION ALL SELECT 'spent', datname, to_jsonb(d) ->> 'active_time', '' FROM pg_stat_database d WHERE datname IS NOT NULL
UNION ALL SELECT 'backend', datname, pid::text, '' FROM pg_stat_activity
  WHERE datname IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL SELECT 'checkpointer', '', pid::text, '' FROM pg_stat_activity WHERE backend_type = 'checkpointer'
LIMIT 20000;
"""


def askers(servers: Servers, *, run: Run = run) -> dict[DatabaseKind, Ask]:
    """For each kind of server a function that asks it once. They raise ColocError."""
    return {
        DatabaseKind.MYSQL: partial(ask_mysql, servers, run),
        DatabaseKind.POSTGRESQL: partial(ask_postgresql, servers, run),
    }


def ask_mysql(servers: Servers, run: Run) -> Answer:
    """Ask MariaDB. Raises ColocError."""
    try:
        rows = mysql.ask(servers, _MYSQL, timeout=_SECONDS, run=run)
    except ColocError as error:
        raise ColocError(str(error), hint=_HINT) from error
    return _read("MariaDB", parse_mysql, rows)


def ask_postgresql(servers: Servers, run: Run) -> Answer:
    """Ask PostgreSQL. Raises ColocError."""
    try:
        rows = postgresql.ask(servers, _POSTGRESQL, columns=4, timeout=_SECONDS, run=run)
    except ColocError as error:
        raise ColocError(str(error), hint=_HINT) from error
    return _read("PostgreSQL", parse_postgresql, rows)


def parse_mysql(rows: Iterable[Sequence[str]]) -> Answer:
    """The rows of the query above. Raises ValueError or IndexError for anything else."""
    sizes, connections, busy, cpu = dict[str, int](), dict[tuple[str, str], int](), dict[str, float](), {}
    most, tells = None, False
    for what, name, second, third in rows:
        if what == "bytes":
            sizes[name] = sizes.get(name, 0) + int(second)
        elif what == "connections":
            connections[name, second] = int(third)
        elif what == "server":
            most, tells = int(name), second == "1"
        elif what == "spent":
            busy[name], cpu[name] = _seconds(second), _seconds(third)
    return Answer(sizes, connections, most, busy if tells else None, cpu if tells else None)


def parse_postgresql(rows: Iterable[Sequence[str]]) -> Answer:
    """The rows of the query above. Raises ValueError or IndexError for anything else."""
    sizes, connections, busy = dict[str, int](), dict[tuple[str, str], int](), dict[str, float]()
    backends, most, checkpointer = dict[int, str](), None, 0
    for what, name, second, third in rows:
        if what == "bytes" and second:  # nothing: it was dropped meanwhile
            sizes[name] = int(second)
        elif what == "connections":
            connections[name, second] = int(third)
        elif what == "server":
            most = int(name)
        elif what == "spent" and second:
            busy[name] = _seconds(second) / 1000
        elif what == "backend":
            backends[int(second)] = name
        elif what == "checkpointer":
            checkpointer = int(second)
    return Answer(sizes, connections, most, busy or None, None, backends, checkpointer)


def _read(server: str, parse: Callable[[Iterable[Sequence[str]]], Answer], rows: list[list[str]]) -> Answer:
    try:
        return parse(rows)
    except (ValueError, IndexError) as error:
        raise ColocError(f"{server} answers what I cannot read", hint="tell the makers of coloc-agent") from error


def _seconds(text: str) -> float:
    """A time of the server; its clocks may step back, and then it says less than nothing."""
    seconds = float(text)
    if not seconds < float("inf"):
        raise ValueError(text)
    return max(0.0, seconds)
