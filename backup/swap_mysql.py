"""A MariaDB database takes another's place: tables by one RENAME TABLE, definitions by their own text.

Triggers forbid to rename a table to another database, and views, routines and events cannot be renamed at all: those of
the live database are written to a file first, dropped, and made again from text. Rights stay, as the live database is
never dropped. A marker table travels with the old tables: where it is says, after any crash, whether they were moved.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coloc.command import CommandFailed, Run, run
from coloc.databases import mysql
from coloc.databases.mysql import identifier
from coloc.databases.servers import Servers
from coloc.errors import ColocError

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class MysqlSwap:
    """`scratch` becomes `live`; what was live is kept in `kept`. Files of definitions lie in `folder`."""

    live: str
    scratch: str
    kept: str
    marker: str
    existed: bool
    folder: str

    def as_data(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)


def do(swap: MysqlSwap, servers: Servers, *, run: Run = run) -> None:
    """Exchange. Raises ColocError; then `undo` brings back what was."""
    folder = Path(swap.folder)
    if not swap.existed:
        mysql.create(servers, swap.live, like=swap.scratch, run=run)
    old, new = _Definitions(folder, "old"), _Definitions(folder, "new")
    old.save(servers, swap.live, run=run)
    new.save(servers, swap.scratch, run=run)
    mysql.create(servers, swap.kept, like=swap.live, run=run)
    mysql.ask(servers, f"CREATE TABLE {_of(swap.live, swap.marker)} (id INT)", run=run)
    _drop_definitions(servers, swap.live, run=run)
    _drop_triggers(servers, swap.scratch, run=run)
    moves = [(swap.live, swap.kept, name) for name in _tables(servers, swap.live, run=run)]
    moves += [(swap.scratch, swap.live, name) for name in _tables(servers, swap.scratch, run=run)]
    _rename(servers, moves, run=run)
    new.load(servers, swap.live, run=run)


def can_undo(swap: MysqlSwap, servers: Servers, *, run: Run = run) -> bool:
    """True while the old tables, and the text of the old definitions, are kept."""
    return _has_moved(swap, servers, run=run) and _Definitions(Path(swap.folder), "old").is_saved


def undo(swap: MysqlSwap, servers: Servers, *, run: Run = run) -> None:
    """As it was before, from wherever `do` came to. Safe to repeat, loses no old table. Raises ColocError."""
    old = _Definitions(Path(swap.folder), "old")
    if swap.existed and _has_moved(swap, servers, run=run):
        if not old.is_saved:
            raise ColocError(
                f"the definitions of {swap.live} in {swap.folder} are gone", hint=f"its tables are kept in {swap.kept}"
            )
        if not mysql.exists(servers, swap.live, run=run):
            mysql.create(servers, swap.live, like=swap.kept, run=run)
    if mysql.exists(servers, swap.live, run=run) and old.is_saved:
        _drop_definitions(servers, swap.live, run=run)
        if _has_moved(swap, servers, run=run):
            _drop_triggers(servers, swap.kept, run=run)
            if not mysql.exists(servers, swap.scratch, run=run):
                mysql.create(servers, swap.scratch, like=swap.live, run=run)
            moves = [(swap.live, swap.scratch, name) for name in _tables(servers, swap.live, run=run)]
            moves += [(swap.kept, swap.live, name) for name in _tables(servers, swap.kept, run=run)]
            _rename(servers, moves, run=run)
        old.load(servers, swap.live, run=run)
        mysql.ask(servers, f"DROP TABLE IF EXISTS {_of(swap.live, swap.marker)}", run=run)
    if not swap.existed:
        mysql.drop(servers, swap.live, run=run)
    mysql.drop(servers, swap.scratch, run=run)
    mysql.drop(servers, swap.kept, run=run)


def _has_moved(swap: MysqlSwap, servers: Servers, *, run: Run) -> bool:
    return mysql.exists(servers, swap.kept, run=run) and swap.marker in _tables(servers, swap.kept, run=run)


@dataclass(frozen=True, slots=True)
class _Definitions:
    """Triggers, routines and events, then views (which may call routines), as SQL that may be run twice."""

    folder: Path
    name: str

    @property
    def _files(self) -> tuple[Path, Path]:
        return self.folder / f"{self.name}-objects.sql", self.folder / f"{self.name}-views.sql"

    @property
    def is_saved(self) -> bool:
        return all(file.exists() for file in self._files)

    def save(self, servers: Servers, database: str, *, run: Run) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        objects, views = self._files
        common = ["mariadb-dump", *servers.mysql_options(), "--default-character-set=utf8mb4", "--no-data"]
        common += ["--single-transaction", "--skip-lock-tables"]
        kinds = ["--no-create-info", "--routines", "--triggers", "--add-drop-trigger", "--events"]
        try:
            run([*common, *kinds, "--", database], timeout=_HOUR, stdout_to=objects)
            names = [name for name, kind in mysql.relations(servers, database, run=run).items() if kind == "VIEW"]
            temporary = views.with_suffix(".part")
            if names:
                run([*common, "--skip-triggers", "--", database, *names], timeout=_HOUR, stdout_to=temporary)
            else:
                temporary.write_bytes(b"")
            temporary.rename(views)
        except CommandFailed as error:
            raise mysql.told(error) from error

    def load(self, servers: Servers, database: str, *, run: Run) -> None:
        for file in self._files:
            mysql.load(servers, database, file, timeout=_HOUR, run=run)


def _drop_definitions(servers: Servers, database: str, *, run: Run) -> None:
    _drop_triggers(servers, database, run=run)
    where = mysql.text(database)
    sql = (
        f"SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = {where} "  # noqa: S608
        f"UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = {where} "
        f"UNION ALL SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema = {where}"
    )
    for kind, name in mysql.ask(servers, sql, run=run):
        if kind in {"PROCEDURE", "FUNCTION", "PACKAGE", "PACKAGE BODY", "EVENT", "VIEW"}:
            mysql.ask(servers, f"DROP {kind} IF EXISTS {_of(database, name)}", run=run)


def _drop_triggers(servers: Servers, database: str, *, run: Run) -> None:
    sql = f"SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = {mysql.text(database)}"  # noqa: S608
    for (name,) in mysql.ask(servers, sql, run=run):
        mysql.ask(servers, f"DROP TRIGGER IF EXISTS {_of(database, name)}", run=run)


def _tables(servers: Servers, database: str, *, run: Run) -> list[str]:
    return [name for name, kind in mysql.relations(servers, database, run=run).items() if kind != "VIEW"]


def _rename(servers: Servers, moves: list[tuple[str, str, str]], *, run: Run) -> None:
    pairs = ", ".join(f"{_of(source, name)} TO {_of(target, name)}" for source, target, name in moves)
    mysql.ask(servers, f"SET foreign_key_checks = 0; SET lock_wait_timeout = 30; RENAME TABLE {pairs}", run=run)


def _of(database: str, name: str) -> str:
    return f"{identifier(database)}.{identifier(name)}"
