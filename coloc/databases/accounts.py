"""The daemon's own accounts on the database servers, which see figures of everybody and no content; made by root.

Rules: an account that is not as we make it is somebody's and is left alone; what is there already is not made again.
PostgreSQL's file of who may enter is changed as the server's own account, by one line that says whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from coloc.command import CommandFailed, Run, run
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from coloc.errors import ColocError

NAME = "coloc-agent"
MYSQL_RIGHTS = frozenset({"PROCESS", "SHOW DATABASES", "SHOW VIEW"})  # names and sizes of tables; no row of any
HBA_LINE = f"local postgres {NAME} peer # {NAME} database-accounts"
_SECONDS = 30.0
_GRANT = re.compile(rf"GRANT ([A-Z, ]+) ON \*\.\* TO `{NAME}`@`localhost` IDENTIFIED VIA unix_socket")
_WHO = f"'{NAME}'@'localhost'"
_ROLE = f"""\
SELECT rolcanlogin AND NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls),
  coalesce((SELECT string_agg(g.rolname, ',' ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g
  ON g.oid = m.roleid WHERE m.member = r.oid), '') FROM pg_roles r WHERE rolname = '{NAME}'
"""  # noqa: S608 - our own name
_RULES = """\
SELECT array_to_string(database, ' '), array_to_string(user_name, ' '), auth_method, coalesce(options::text, '')
FROM pg_hba_file_rules WHERE type = 'local' AND error IS NULL ORDER BY line_number
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do on a server, in words, and how."""

    sentence: str
    do: Callable[[], object]


def mysql_to_create(servers: Servers, *, run: Run = run) -> list[Change]:
    """What MariaDB lacks. Raises ColocError, also for an account of that name that is not ours."""
    grants = _grants(servers, run)
    if grants is not None and not is_ours(grants):
        raise _foreign("MariaDB", f"SHOW GRANTS FOR {_WHO}")
    rights = ", ".join(sorted(MYSQL_RIGHTS))
    if grants is not None and _rights(grants) == MYSQL_RIGHTS:
        return []
    make = "" if grants is not None else f"CREATE USER {_WHO} IDENTIFIED VIA unix_socket; "
    sql = f"{make}GRANT {rights} ON *.* TO {_WHO}"
    return [Change(f"MariaDB: the account {NAME}, by unix_socket, with {rights}", partial(_mysql, servers, sql, run))]


def mysql_to_remove(servers: Servers, *, run: Run = run) -> list[Change]:
    """What is ours in MariaDB. Raises ColocError, also for an account of that name that is not ours."""
    grants = _grants(servers, run)
    if grants is None:
        return []
    if not is_ours(grants):
        raise _foreign("MariaDB", f"SHOW GRANTS FOR {_WHO}")
    return [Change(f"MariaDB: the account {NAME}", partial(_mysql, servers, f"DROP USER {_WHO}", run))]


def postgresql_to_create(servers: Servers, *, run: Run = run) -> list[Change]:
    """What PostgreSQL lacks. Raises ColocError, also for a role of that name that is not ours."""
    role, changes = _role(servers, run), []
    sql = {
        None: f'CREATE ROLE "{NAME}" LOGIN IN ROLE pg_monitor',
        "": f'GRANT pg_monitor TO "{NAME}"',
    }.get(role)
    if sql:
        changes.append(Change(f"PostgreSQL: the role {NAME}, in pg_monitor", partial(_pg, servers, sql, run)))
    if not peer_may_enter(_ask_pg(servers, _RULES, 4, run)):
        # YunoHost asks every role for a password on the socket; ours has none.
        edit = partial(_edit_hba, servers, f"1i {HBA_LINE}", run)
        changes.append(Change(f"PostgreSQL: the line `{HBA_LINE}` at the top of pg_hba.conf", edit))
    return changes


def postgresql_to_remove(servers: Servers, *, run: Run = run) -> list[Change]:
    """What is ours in PostgreSQL. Raises ColocError, also for a role of that name that is not ours."""
    role, changes = _role(servers, run), []
    rules = _ask_pg(servers, _RULES, 4, run)
    if ["postgres", NAME, "peer", ""] in rules:
        edit = partial(_edit_hba, servers, f"\\|^{re.escape(HBA_LINE)}$|d", run)
        changes.append(Change("PostgreSQL: our line in pg_hba.conf", edit))
    if role is not None:
        changes.append(Change(f"PostgreSQL: the role {NAME}", partial(_pg, servers, f'DROP ROLE "{NAME}"', run)))
    return changes


def is_ours(grants: Sequence[str]) -> bool:
    """Is this all that we give an account, or less?"""
    return len(grants) == 1 and _GRANT.fullmatch(grants[0]) is not None and _rights(grants) <= MYSQL_RIGHTS


def peer_may_enter(rules: Sequence[Sequence[str]]) -> bool:
    """Would the system account of our name enter the database postgres? From the rules for the socket, in order."""
    for databases, users, method, options in rules:
        if {"all", "postgres"} & set(databases.split()) and {"all", NAME} & set(users.split()):
            return method == "trust" or (method == "peer" and not options)
    return False


def _rights(grants: Sequence[str]) -> frozenset[str]:
    match = _GRANT.fullmatch(grants[0])
    return frozenset(match[1].split(", ") if match else ()) - {"USAGE"}


def _grants(servers: Servers, run: Run) -> list[str] | None:
    if not _mysql(servers, f"SELECT 1 FROM mysql.user WHERE user = '{NAME}' AND host = 'localhost'", run):  # noqa: S608
        return None
    return [row[0] for row in _mysql(servers, f"SHOW GRANTS FOR {_WHO}", run)]


def _role(servers: Servers, run: Run) -> str | None:
    """The groups of our role; None when it is not there."""
    rows = _ask_pg(servers, _ROLE, 2, run)
    if not rows:
        return None
    plain, groups = rows[0]
    if plain != "t" or groups not in {"", "pg_monitor"}:
        raise _foreign("PostgreSQL", f'\\du "{NAME}"')
    return groups


def _foreign(server: str, look: str) -> ColocError:
    return ColocError(
        f"{server} has an account {NAME} that is not as we make it; it was left alone", hint=f"look: {look}"
    )


def _mysql(servers: Servers, sql: str, run: Run) -> list[list[str]]:
    return mysql.ask(servers, sql, timeout=_SECONDS, run=run)


def _pg(servers: Servers, sql: str, run: Run) -> object:
    return _ask_pg(servers, sql, 1, run)


def _ask_pg(servers: Servers, sql: str, columns: int, run: Run) -> list[list[str]]:
    return postgresql.ask(servers, sql, columns=columns, timeout=_SECONDS, run=run)


def _edit_hba(servers: Servers, script: str, run: Run) -> None:
    """As the server's account: it says where the file is, and root must not write where another account says."""
    ((file,),) = _ask_pg(servers, "SHOW hba_file", 1, run)
    try:
        argv = ["sed", "--in-place", "--follow-symlinks", script, "--", file]
        run(argv, timeout=_SECONDS, user=servers.pg_account(), cwd=Path("/"))
    except CommandFailed as error:
        raise ColocError(f"{file} cannot be changed: {error}", hint=error.hint) from error
    _pg(servers, "SELECT pg_reload_conf()", run)
