"""Holds a project's accounts on MariaDB: fewer connections, then no more writing. Reading and deleting always stay.

What was is written into the server itself, as two roles that nobody can use: it is found again whatever else is lost.
An account that several share, or that has a limit of its own, is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coloc.command import Run, run
from coloc.databases import mysql
from coloc.databases.servers import Servers
from helper.actuator import CannotEnforce

SLOWED = "coloc_agent_slowed"  # granted to accounts whose connections we limit; it has no right of its own
WRITES = "coloc_agent_writes"  # holds the rights that we took; granted to nobody
_WRITING = ("INSERT", "CREATE", "UPDATE", "ALTER", "INDEX")
_COLUMNS = {name: f"{name.capitalize()}_priv" for name in _WRITING}
_RIGHTS = ", ".join(f"IF(r.{column} = 'Y', ', {name}', '')" for name, column in _COLUMNS.items())
_UNDO = f"""\
SELECT CONCAT('ALTER USER ', QUOTE(User), '@', QUOTE(Host), ' WITH MAX_USER_CONNECTIONS 0')
  FROM mysql.roles_mapping WHERE Role = '{SLOWED}' AND Admin_option = 'N'
UNION ALL SELECT CONCAT('REVOKE {SLOWED} FROM ', QUOTE(User), '@', QUOTE(Host))
  FROM mysql.roles_mapping WHERE Role = '{SLOWED}' AND Admin_option = 'N'
UNION ALL SELECT CONCAT('GRANT ', SUBSTRING(CONCAT({_RIGHTS}), 3),
  ' ON `', REPLACE(r.Db, '`', '``'), '`.* TO ', QUOTE(d.User), '@', QUOTE(d.Host))
  FROM mysql.db r JOIN mysql.db d ON d.Db = r.Db AND d.User <> r.User WHERE r.User = '{WRITES}'
UNION ALL SELECT CONCAT('DROP ROLE `', User, '`') FROM mysql.user
  WHERE is_role = 'Y' AND User IN ('{SLOWED}', '{WRITES}')
"""  # noqa: S608 - our own names
_IS_OURS = f"""\
EXISTS (SELECT 1 FROM mysql.roles_mapping m WHERE m.Role = '{SLOWED}' AND m.User = d.User AND m.Host = d.Host
  AND m.Admin_option = 'N')
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Account:
    """One account, the name of its database as the server has it, and what it may write there."""

    user: str
    host: str
    database: str
    writing: tuple[str, ...]
    connections: int
    is_ours: bool  # its limit of connections is

    @property
    def sql(self) -> str:
        """As SQL names it."""
        return f"{mysql.identifier(self.user)}@{mysql.identifier(self.host) if self.host else '``'}"


class MysqlLimits:
    """The accounts of one server."""

    def __init__(self, servers: Servers, *, run: Run = run) -> None:
        self._servers, self._run = servers, run

    def accounts(self, databases: Sequence[str]) -> list[Account]:
        """Who may write in these databases. Raises CannotEnforce for an account that is not theirs alone."""
        columns = ", ".join(f"d.{column}" for column in _COLUMNS.values())
        rows = self._ask(
            f"SELECT d.User, d.Host, d.Db, {columns}, u.max_user_connections, u.Insert_priv, {_IS_OURS}"
            "FROM mysql.db d JOIN mysql.user u ON u.User = d.User AND u.Host = d.Host WHERE u.is_role = 'N'"
        )
        wanted, found = set(databases), list[Account]()
        for user, host, database, *rights, connections, is_mighty, is_ours in rows:
            if _plain(database) in wanted:
                writing = tuple(name for name, right in zip(_WRITING, rights, strict=True) if right == "Y")
                found.append(Account(user, host, database, writing, int(connections), is_ours == "1"))
                if is_mighty == "Y":
                    raise CannotEnforce(f"the account {user} may write in every database of MariaDB")
        self._refuse_shared(found, [(user, host, database) for user, host, database, *_ in rows], wanted)
        return found

    def _refuse_shared(self, found: Sequence[Account], rows: Sequence[tuple[str, str, str]], wanted: set[str]) -> None:
        names = {(each.user, each.host) for each in found}
        for user, host, database in rows:
            if (user, host) in names and _plain(database) not in wanted:
                raise CannotEnforce(f"the account {user} of MariaDB is used for {database} as well, which is another's")
        for each in found:
            if sum(other.database == each.database for other in found) > 1:
                raise CannotEnforce(f"several accounts of MariaDB write in {each.database}")
            if each.connections and not each.is_ours:
                raise CannotEnforce(f"the account {each.user} of MariaDB has a limit of connections of its own")

    def limit_connections(self, accounts: Sequence[Account], most: int) -> str:
        """So many at once. Marked first: a mark without a limit is harmless. The order, as it was given."""
        order = "; ".join(f"ALTER USER {each.sql} WITH MAX_USER_CONNECTIONS {most}" for each in _each_once(accounts))
        marks = "".join(f"GRANT {SLOWED} TO {each.sql};\n" for each in _each_once(accounts))
        self._ask(f"CREATE ROLE IF NOT EXISTS {SLOWED};\n{marks}{order}")
        return order

    def stop_writes(self, accounts: Sequence[Account]) -> str:
        """No new data; sessions are ended, as open ones keep their rights. Remembered in the server first."""
        orders = []
        for each in accounts:
            if each.writing:
                rights, place = ", ".join(each.writing), f"{mysql.identifier(each.database)}.*"
                self._ask(f"CREATE ROLE IF NOT EXISTS {WRITES};\nGRANT {rights} ON {place} TO {WRITES}")
                orders.append(f"REVOKE {rights} ON {place} FROM {each.sql}")
        orders += [f"KILL SOFT USER {each.sql}" for each in _each_once(accounts)]
        self._ask(";\n".join(orders))
        return "; ".join(orders)

    def let_write(self, accounts: Sequence[Account]) -> None:
        """Give back what `stop_writes` took of these accounts."""
        for each in accounts:
            columns = ", ".join(_COLUMNS.values())
            rows = self._ask(
                f"SELECT {columns} FROM mysql.db WHERE User = '{WRITES}' AND Db = {mysql.text(each.database)}"  # noqa: S608
            )
            for row in rows:
                rights = ", ".join(name for name, right in zip(_WRITING, row, strict=True) if right == "Y")
                place = f"{mysql.identifier(each.database)}.*"
                if rights:
                    self._ask(f"GRANT {rights} ON {place} TO {each.sql};\nREVOKE {rights} ON {place} FROM {WRITES}")

    def let_connect(self, accounts: Sequence[Account]) -> None:
        """As many connections as before: without a limit of the account's own."""
        for each in _each_once(accounts):
            if each.is_ours:
                self._ask(f"ALTER USER {each.sql} WITH MAX_USER_CONNECTIONS 0;\nREVOKE {SLOWED} FROM {each.sql}")

    def traces(self) -> list[str]:
        """The orders that take back everything of ours, whoever's it was."""
        return [row[0] for row in self._ask(_UNDO)]

    def undo_all(self) -> list[str]:
        """Give them."""
        orders = self.traces()
        if orders:
            self._ask(";\n".join(orders))
        return orders

    def _ask(self, sql: str) -> list[list[str]]:
        return mysql.ask(self._servers, sql, run=self._run)


def _each_once(accounts: Sequence[Account]) -> list[Account]:
    return list({(each.user, each.host): each for each in accounts}.values())


def _plain(pattern: str) -> str:
    """The name behind a pattern: YunoHost and others write `my\\_app`. A bare % stands for many and for no name."""
    return pattern.replace("\\_", "_").replace("\\%", "%")
