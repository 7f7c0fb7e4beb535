"""Holds what a project does with its databases, on both servers: connections, and how much they may still grow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from coloc.agreed import AgreedLimit, Target
from coloc.command import Run, run
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from helper.actuator import CannotEnforce, Done, ReadBack
from helper.mysql_limits import Account, MysqlLimits
from helper.postgresql_limits import Owner, PostgresqlLimits
from helper.traces import Trace

_NAMES = {"mariadb": "MariaDB", "psql": "PostgreSQL"}
_FEW = 5  # connections of a project whose databases are too large: it works on, slowly


class DatabaseActuator:
    """`database` (their size) or `database_connections`."""

    def __init__(self, resource: str, servers: Servers, *, run: Run = run) -> None:
        self._by_size = resource == "database"
        self._mysql, self._postgresql = MysqlLimits(servers, run=run), PostgresqlLimits(servers, run=run)

    def cannot(self, target: Target | None = None) -> str:
        """See Actuator."""
        if target is None:
            return "" if shutil.which("mariadb") or shutil.which("psql") else "there is no database server here"
        if not (target.mysql or target.postgresql):
            return "it has no database on a server that is its own"
        try:
            self._found(target)
        except CannotEnforce as error:
            return str(error)
        return ""

    def in_use(self, target: Target) -> float | None:  # noqa: ARG002 - every actuator's
        """See Actuator."""
        return None

    def apply(self, target: Target, step: str, limit: AgreedLimit) -> Done:
        """See Actuator."""
        accounts, owners = self._found(target)
        is_hard, most = step == "hard", self._most(step, limit)
        calls = []
        if accounts:
            calls.append(self._mysql.limit_connections(accounts, most))
            if self._by_size and is_hard:
                calls.append(self._mysql.stop_writes(accounts))
            elif self._by_size:
                self._mysql.let_write(accounts)
        if owners:
            end = self._by_size and is_hard
            calls.append(self._postgresql.limit_connections(owners, 1 if end else most, end_sessions=end))
        stopped = " and stopped writing" if self._by_size and is_hard and accounts else ""
        return Done(f"limited the database connections of {target.project}{stopped}", "; ".join(calls))

    def read_back(self, target: Target, step: str, limit: AgreedLimit) -> ReadBack:
        """See Actuator."""
        accounts, owners = self._found(target)
        most, says, stands = self._most(step, limit), [], bool(accounts or owners)
        for each in accounts:
            says.append(f"{each.user}: {each.connections} connections, may {', '.join(each.writing) or 'not write'}")
            stands = stands and 0 < each.connections <= most
            stands = stands and not (self._by_size and step == "hard" and each.writing)
        for owner in owners:
            says.append(f"{owner.role}: {owner.connections} connections")
            stands = stands and 0 < owner.connections <= most and bool(owner.before)
        return ReadBack("the accounts of the database servers", "; ".join(says), stands)

    def undo(self, target: Target) -> None:
        """See Actuator."""
        if not (target.mysql or target.postgresql):
            raise ColocError(
                f"nobody knows any more which databases were {target.project}'s", hint="coloc-agent quota undo --all"
            )
        accounts, owners = self._found(target)
        if self._by_size:
            self._mysql.let_write(accounts)
        self._mysql.let_connect(accounts)
        self._postgresql.let_connect(owners)

    def _most(self, step: str, limit: AgreedLimit) -> int:
        if self._by_size:
            return _FEW
        return max(1, int(limit.hard if step == "throttle" else limit.soft))

    def _found(self, target: Target) -> tuple[list[Account], list[Owner]]:
        accounts = self._mysql.accounts(target.mysql) if target.mysql else []
        return accounts, self._postgresql.owners(target.postgresql) if target.postgresql else []


class DatabaseTraces:
    """What is ours on the database servers. One that is not installed has nothing; one that is down cannot say."""

    def __init__(self, servers: Servers, *, run: Run = run) -> None:
        limits: dict[str, MysqlLimits | PostgresqlLimits] = {
            "mariadb": MysqlLimits(servers, run=run),
            "psql": PostgresqlLimits(servers, run=run),
        }
        self._servers = {program: each for program, each in limits.items() if shutil.which(program)}
        self.unseen: list[str] = []

    def find(self) -> Iterator[Trace]:
        """See Source."""
        for program, orders in self._orders().items():
            for order in orders:
                yield Trace(_NAMES[program], "a limit of an account, or what remembers it", f"{program}: {order}")

    def undo_all(self) -> list[str]:
        """See Source."""
        found = self._orders()
        return [f"{_NAMES[program]}: {order}" for program in found for order in self._servers[program].undo_all()]

    def _orders(self) -> dict[str, list[str]]:
        self.unseen, found = [], {}
        for program, limits in self._servers.items():
            try:
                found[program] = limits.traces()
            except ColocError as error:
                why = f"{error}; what may be there was not looked at: start it, then run this again"
                self.unseen.append(why)
        return found
