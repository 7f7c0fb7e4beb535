"""Holds the roles that own a project's databases on PostgreSQL: fewer connections, at last a single one.

PostgreSQL cannot stop writing so that deleting stays and the owner cannot undo it; by one connection a project still
can clean up. What was is written into the role's own settings, where it is found again whatever else is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coloc.command import Run, run
from coloc.databases import postgresql
from coloc.databases.servers import Servers
from helper.actuator import CannotEnforce

_BEFORE = "coloc_agent.before"
_OWNERS = """\
SELECT d.datname, r.rolname, r.rolsuper::text, r.rolconnlimit::text, coalesce((SELECT split_part(s, '=', 2)
  FROM pg_db_role_setting g, unnest(g.setconfig) s WHERE g.setrole = r.oid AND g.setdatabase = 0
  AND s LIKE 'coloc\\_agent.before=%'), '')
  FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
"""
_UNDO = """\
SELECT format('ALTER ROLE %I CONNECTION LIMIT %s; ALTER ROLE %I RESET coloc_agent.before', rolname, before, rolname)
  FROM (SELECT r.rolname, split_part(s, '=', 2) AS before
  FROM pg_db_role_setting g JOIN pg_roles r ON r.oid = g.setrole, unnest(g.setconfig) s
  WHERE g.setdatabase = 0 AND s LIKE 'coloc\\_agent.before=%') x WHERE before ~ '^-?[0-9]{1,9}$'
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """A role that owns databases; `before`: its limit without us, "" when we hold nothing."""

    role: str
    connections: int
    before: str


class PostgresqlLimits:
    """The roles of one cluster."""

    def __init__(self, servers: Servers, *, run: Run = run) -> None:
        self._servers, self._run = servers, run

    def owners(self, databases: Sequence[str]) -> list[Owner]:
        """Who owns these databases and no other. Raises CannotEnforce for a role that is not theirs alone."""
        rows = self._ask(_OWNERS, 5)
        roles = {role for name, role, *_ in rows if name in databases}
        found = {}
        for name, role, is_mighty, connections, before in rows:
            if role not in roles:
                continue
            if is_mighty == "true":
                raise CannotEnforce(f"the role {role} of PostgreSQL may do everything: it cannot be held")
            if name not in databases:
                raise CannotEnforce(f"the role {role} of PostgreSQL owns {name} as well, which is another's")
            found[role] = Owner(role, int(connections), before)
        return list(found.values())

    def limit_connections(self, owners: Sequence[Owner], most: int, *, end_sessions: bool) -> str:
        """So many at once; what was is remembered in the same transaction."""
        orders = []
        for each in owners:
            name, before = postgresql.identifier(each.role), each.before or str(each.connections)
            order = f"ALTER ROLE {name} CONNECTION LIMIT {most}"
            self._ask(f"BEGIN; ALTER ROLE {name} SET {_BEFORE} = '{int(before)}'; {order}; COMMIT", 1)
            if end_sessions:
                text = postgresql.text(each.role)
                self._ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ={text}", 1)  # noqa: S608
            orders.append(order)
        return "; ".join(orders)

    def let_connect(self, owners: Sequence[Owner]) -> None:
        """As many as before."""
        for each in owners:
            if each.before:
                name = postgresql.identifier(each.role)
                limit = f"ALTER ROLE {name} CONNECTION LIMIT {int(each.before)}"
                self._ask(f"BEGIN; {limit}; ALTER ROLE {name} RESET {_BEFORE}; COMMIT", 1)

    def traces(self) -> list[str]:
        """The orders that take back everything of ours, whoever's it was."""
        return [row[0] for row in self._ask(_UNDO, 1)]

    def undo_all(self) -> list[str]:
        """Give them."""
        orders = self.traces()
        if orders:
            self._ask(f"BEGIN; {'; '.join(orders)}; COMMIT", 1)
        return orders

    def _ask(self, sql: str, columns: int) -> list[list[str]]:
        return postgresql.ask(self._servers, sql, columns=columns, run=self._run)
