"""PostgreSQL: ask and order through psql, as its administrator. Names are quoted, answers are split on NUL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from coloc.command import CommandFailed, Run, run
from coloc.databases.servers import Servers
from coloc.errors import ColocError

MAX_NAME = 63  # bytes
_MAX_ROLES = 20
_ROLE = re.compile(rb'^(?:ALTER|GRANT|REVOKE)\b.* (?:OWNER TO|TO|FROM) ("(?:[^"]|"")+"|[A-Za-z_][\w$]*);$')
_PSQL = ("psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1")


def identifier(name: str) -> str:
    """A name as SQL wants it. Raises ColocError for what no name can be."""
    if not name or "\0" in name or len(name.encode("utf-8", "surrogateescape")) > MAX_NAME:
        raise ColocError(f"{name[:80]!r} cannot be a name in PostgreSQL", hint="mend it in coloc.yml")
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string as SQL wants it, whatever standard_conforming_strings says."""
    return " E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def connection(database: str) -> str:
    """A conninfo for one database: a bare name with `=` in it would be read as options."""
    identifier(database)
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"


def ask(
    servers: Servers, sql: str, *, columns: int = 1, database: str = "postgres", timeout: float = 60, run: Run = run
) -> list[list[str]]:
    """The rows of the answer, each of `columns` texts ("" for null). Raises ColocError with the server's words."""
    argv = [*_PSQL, "--no-align", "--tuples-only", "--field-separator-zero", "--record-separator-zero"]
    try:
        output = run(
            [*argv, f"--dbname={connection(database)}"],
            timeout=timeout,
            stdin=sql,
            env=servers.pg_env(),
            user=servers.pg_account(),
            cwd=Path("/"),
        )
    except CommandFailed as error:
        raise told(error) from error
    cells = output.stdout.split("\0")[:-1]
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def load(servers: Servers, database: str, dump: Path, *, timeout: float, run: Run = run) -> None:
    """Run a dump in a database, stopping at its first error."""
    try:
        run(
            [*_PSQL, "--output=/dev/null", f"--dbname={connection(database)}"],
            timeout=timeout,
            stdin=dump,
            env=servers.pg_env(),
            user=servers.pg_account(),
            cwd=Path("/"),
        )
    except CommandFailed as error:
        raise told(error) from error


def roles_in(dump: Path) -> set[str]:
    """The roles that a dump gives things to. What looks so among the rows of a table is no order."""
    found: set[str] = set()
    is_data = False
    with dump.open("rb") as file:
        for line in file:
            if is_data:
                is_data = line.rstrip(b"\r\n") != b"\\."
            elif line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;"):
                is_data = True
            elif match := _ROLE.search(line):
                name = match[1].decode("utf-8", "surrogateescape")
                found.add(name[1:-1].replace('""', '"') if name.startswith('"') else name)
    return found - {"PUBLIC", "public"}


def make_roles(servers: Servers, names: Iterable[str], *, run: Run = run) -> None:
    """Make the roles that are missing; they enter by the socket, as the account of that name, and by no password."""
    there = {name for (name,) in ask(servers, "SELECT rolname FROM pg_roles", run=run)}
    for name in sorted(set(names) - there)[:_MAX_ROLES]:
        if not name.startswith("pg_"):
            ask(servers, f"CREATE ROLE {identifier(name)} LOGIN", run=run)


def told(error: CommandFailed) -> ColocError:
    """The server's own words."""
    lines = [line for line in error.output.stderr.splitlines() if re.search(r"ERROR|FATAL|error:", line)]
    why = " ".join(lines[0].split())[:200] if lines else str(error)
    return ColocError(f"PostgreSQL: {why}", hint="is the server up, and are we root (or its administrator)?")


def exists(servers: Servers, database: str, *, run: Run = run) -> bool:
    """Is there a database of that name?"""
    return bool(ask(servers, f"SELECT 1 FROM pg_database WHERE datname = {text(database)}", run=run))  # noqa: S608


def drop(servers: Servers, database: str, *, run: Run = run) -> None:
    """Remove a database if it is there. Only ever called with names of our own."""
    ask(servers, f"DROP DATABASE IF EXISTS {identifier(database)} WITH (FORCE)", timeout=600, run=run)


def row_counts(servers: Servers, database: str, *, run: Run = run) -> dict[str, int]:
    """Rows of every ordinary table, by `qualified` name."""
    sql = r"""SELECT format('SELECT %L, %L, count(*) FROM ONLY %I.%I;', n.nspname, c.relname, n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname NOT LIKE 'pg\_t%'
        """
    counts = "".join(f"{row[0]}\n" for row in ask(servers, sql, database=database, run=run))
    if not counts:
        return {}
    rows = ask(servers, counts, columns=3, database=database, timeout=3600, run=run)
    return {qualified(schema, table): int(count) for schema, table, count in rows}


def qualified(schema: str, table: str) -> str:
    """`public.posts`; a part that is not plain is quoted, so that two tables never share a name."""
    plain = re.compile(r"[a-z_][a-z0-9_$]*")
    parts = (part if plain.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in (schema, table))
    return ".".join(parts)
