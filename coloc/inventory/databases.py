"""The databases of an app: what its settings and manifest say, and the SQLite files in its folders."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator

from coloc.inventory.entries import Entry
from coloc.inventory.settings import is_nothing
from coloc.inventory.tree import Tree
from coloc.model import Database, DatabaseKind

_MAGIC = b"SQLite format 3\0"
_MAX_ENTRIES = 4000  # looked at per app
_MAX_DEPTH = 4
_MAX_FILES = 20
_SKIPPED = {"node_modules", ".git", "venv", ".venv", "__pycache__", "vendor", "cache", ".cache"}
_KINDS = {
    "mysql": DatabaseKind.MYSQL,
    "mariadb": DatabaseKind.MYSQL,
    "postgresql": DatabaseKind.POSTGRESQL,
    "postgres": DatabaseKind.POSTGRESQL,
}
# Names go to the servers' own programs: never one that they would take for an option or a path.
_NAME = re.compile(r"\w[\w$.@+-]{0,63}")
# Where the servers keep a folder per database: only MariaDB's bears its name.
_MYSQL_DATA = "/var/lib/mysql"


def server_databases(tree: Tree, entry: Entry) -> tuple[Database, ...]:
    """The database that YunoHost made for the app, if any."""
    settings, own_kind = entry.settings, entry.settings.text("database")
    name = settings.text("db_name")
    has_password = settings.has("mysqlpwd") or settings.has("psqlpwd")
    if name is None and (has_password or (own_kind in _KINDS and settings.has("db_pwd"))):
        name = re.sub(r"[-.]", "_", entry.id)  # the rule of YunoHost's own helpers
    if is_nothing(name) or name is None:
        return ()
    if not _NAME.fullmatch(name):
        entry.problems.append("settings.yml: db_name is not the name of a database")
        return ()
    kind = _kind(tree, entry, own_kind, name)
    if kind is None:
        entry.problems.append("its database is of no kind that I know")
        return ()
    return (Database(kind, name),)


def _kind(tree: Tree, entry: Entry, own_kind: str | None, name: str) -> DatabaseKind | None:
    if kind := _KINDS.get((entry.manifest.database or "").lower()):
        return kind
    if entry.settings.has("mysqlpwd"):
        return DatabaseKind.MYSQL
    if entry.settings.has("psqlpwd"):
        return DatabaseKind.POSTGRESQL
    # my_webapp declares no database resource: its admin chose one.
    if kind := _KINDS.get((own_kind or "").lower()):
        return kind
    return DatabaseKind.MYSQL if tree.is_folder(f"{_MYSQL_DATA}/{name}") else None


def sqlite_files(tree: Tree, folders: Iterable[str], foreign: frozenset[str]) -> tuple[Database, ...]:
    """SQLite files by their first bytes, in a bounded walk of `folders`; `foreign` ones are other apps'."""
    found: list[Database] = []
    budget = iter(range(_MAX_ENTRIES))
    for folder in dict.fromkeys(folders):
        where = tree.resolve(folder)
        if where is None:
            continue
        for path in _walk(where, folder, foreign, budget):
            if len(found) < _MAX_FILES:
                found.append(Database(DatabaseKind.SQLITE, path))
    return tuple(sorted(set(found)))


def _walk(where: str, shown: str, foreign: frozenset[str], budget: Iterator[int]) -> Iterator[str]:
    """Paths as the server sees them; symlinks are not followed. Breadth first: databases lie near the top."""
    level = [(where, shown)]
    for _ in range(_MAX_DEPTH):
        below: list[tuple[str, str]] = []
        for folder, name in level:
            for entry in _scan(folder):
                if next(budget, None) is None:
                    return
                path = f"{name}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and path not in foreign:
                        below.append((entry.path, path))
                elif entry.name.isprintable() and _is_sqlite(entry):
                    yield path
        level = below


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for _, entry in zip(range(_MAX_ENTRIES), entries, strict=False)), key=lambda e: e.name)
    except OSError:
        return []


def _is_sqlite(entry: os.DirEntry[str]) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
        # A database is made of whole pages: this spares opening nearly every other file.
        if not stat.S_ISREG(found.st_mode) or found.st_size < 512 or found.st_size % 512:
            return False
        handle = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return os.read(handle, len(_MAGIC)) == _MAGIC
        finally:
            os.close(handle)
    except OSError:
        return False
