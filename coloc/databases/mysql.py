"""MariaDB: ask and order through its own client. SQL goes in by stdin, names are quoted, answers are parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from coloc.command import CommandFailed, Run, run
from coloc.databases.servers import Servers
from coloc.errors import ColocError

MAX_NAME = 64
_UNESCAPED = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def identifier(name: str) -> str:
    """A name as SQL wants it. Raises ColocError for what no name can be."""
    if not name or "\0" in name or len(name) > MAX_NAME:
        raise ColocError(f"{name[:80]!r} cannot be a name in MariaDB", hint="mend it in coloc.yml")
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """A string as SQL wants it, whatever the server's sql_mode: hexadecimal."""
    return f"CONVERT(0x{value.encode('utf-8', 'surrogateescape').hex()} USING utf8mb4)" if value else "''"


def ask(servers: Servers, sql: str, *, database: str = "", timeout: float = 60, run: Run = run) -> list[list[str]]:
    """The rows of the answer, as text ("NULL" for null). Raises ColocError with the server's words."""
    argv = ["mariadb", *servers.mysql_options(), "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
    argv += ["--no-auto-rehash", "--binary-mode"]
    argv += [f"--database={database}"] if database else []
    try:
        output = run(argv, timeout=timeout, stdin=sql)
    except CommandFailed as error:
        raise told(error) from error
    return [[_unescape(cell) for cell in line.split("\t")] for line in output.stdout.split("\n") if line]


def load(servers: Servers, database: str, dump: Path, *, timeout: float, run: Run = run) -> None:
    """Run a dump in a database. `--binary-mode`: what a dump contains can never be an order to the client."""
    identifier(database)
    argv = ["mariadb", *servers.mysql_options(), "--batch", "--default-character-set=utf8mb4", "--binary-mode"]
    argv += ["--init-command=SET SESSION sql_log_bin=0, foreign_key_checks=0, unique_checks=0"]
    try:
        run([*argv, f"--database={database}"], timeout=timeout, stdin=dump)
    except CommandFailed as error:
        raise told(error) from error


def told(error: CommandFailed) -> ColocError:
    """The server's own words, without the query."""
    last = [line for line in error.output.stderr.splitlines() if re.search("ERROR|rror:|mariadb-dump: ", line)]
    why = " ".join(last[-1].split())[:200] if last else str(error)
    return ColocError(f"MariaDB: {why}", hint="is the server up, and may we enter as root by its socket?")


def exists(servers: Servers, database: str, *, run: Run = run) -> bool:
    """Is there a database of that name?"""
    sql = f"SELECT 1 FROM information_schema.schemata WHERE schema_name = {text(database)}"  # noqa: S608
    return bool(ask(servers, sql, run=run))


def create(servers: Servers, database: str, *, like: str = "", run: Run = run) -> None:
    """Make an empty database, with the character set of another one if that is there."""
    rows = []
    if like:
        sql = (
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "  # noqa: S608
            f"WHERE schema_name = {text(like)}"
        )
        rows = ask(servers, sql, run=run)
    charset, collation = rows[0] if rows else ("utf8mb4", "utf8mb4_unicode_ci")
    if not all(re.fullmatch(r"\w+", word) for word in (charset, collation)):
        raise ColocError("MariaDB names a character set that I cannot read", hint="look at the database by hand")
    ask(servers, f"CREATE DATABASE {identifier(database)} CHARACTER SET {charset} COLLATE {collation}", run=run)


def drop(servers: Servers, database: str, *, run: Run = run) -> None:
    """Remove a database if it is there. Only ever called with names of our own."""
    ask(servers, f"DROP DATABASE IF EXISTS {identifier(database)}", timeout=600, run=run)


def relations(servers: Servers, database: str, *, run: Run = run) -> dict[str, str]:
    """Name → type: BASE TABLE, VIEW, SEQUENCE, SYSTEM VERSIONED."""
    sql = f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = {text(database)}"  # noqa: S608
    return {row[0]: row[1] for row in ask(servers, sql, run=run)}


def row_counts(servers: Servers, database: str, tables: Iterable[str], *, run: Run = run) -> dict[str, int]:
    """Rows of each of these tables, counted."""
    names = list(tables)
    sql = "".join(
        f"SELECT {number}, count(*) FROM {identifier(database)}.{identifier(name)};\n"  # noqa: S608
        for number, name in enumerate(names)
    )
    return {names[int(number)]: int(rows) for number, rows in ask(servers, sql, timeout=3600, run=run)} if sql else {}


def _unescape(cell: str) -> str:
    return re.sub(r"\\(.)", lambda match: _UNESCAPED.get(match[1], match[1]), cell, flags=re.DOTALL)
