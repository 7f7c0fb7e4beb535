"""What YunoHost's backup laid out for one app: what is where, and which dumps are whole. Reads; saves nothing.

YunoHost says "Success" of a backup in which things are missing. So here everything that `backup.csv` promises must lie
in the folder, and a dump counts only when it is whole and bound to one database: one that its app is known to have.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backup.dump_rows import MysqlRows, PostgresqlRows
from backup.dump_spec import DumpResult
from backup.dumps import Stream
from backup.manifest import Layout, SavedFolder
from backup.plan import AppPlan, DumpInside
from coloc.errors import ColocError
from coloc.model import Database, DatabaseKind

_PIECE = 1024 * 1024
_HEAD = 4096
_MAX_CSV = 64 * 1024 * 1024
# Statements that lead a dump out of the database that it is loaded into.
_LEADS_OUT = {
    DatabaseKind.MYSQL: (b"USE ", b"CREATE DATABASE", b"DROP DATABASE"),
    DatabaseKind.POSTGRESQL: (b"\\connect", b"CREATE DATABASE", b"DROP DATABASE"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of `backup.csv`: a path of the server (below its root), and where it lies in the backup."""

    source: str
    member: str


def parse_csv(text: str) -> tuple[Entry, ...]:
    """The lines of `backup.csv`. Raises ColocError."""
    entries = []
    for row in csv.reader(text.splitlines()):
        if len(row) != 2 or not row[0].startswith("/") or ".." in row[1].split("/"):
            raise ColocError(f"YunoHost's backup.csv has a strange line: {row[:3]!r}", hint="look at the app's script")
        entries.append(Entry(row[0], row[1].strip("/")))
    return tuple(entries)


def laid_out(plan: AppPlan, folder: Path, *, wants: Callable[[str], bool] = lambda _: True) -> AppPlan:
    """The plan of an app as YunoHost laid it out in `folder`. Raises ColocError for what is missing or cut.

    wants: which members of the csv must be there (a test's YunoHost may leave out what it does not mount).
    """
    app = plan.app.id
    entries = parse_csv(_read(folder / "backup.csv", app))
    _require_whole(app, folder, [entry.member for entry in entries if wants(entry.member)])
    kept = {entry.source.rstrip("/"): entry.member for entry in entries}
    dumps = tuple(find_dumps(plan, folder, frozenset(kept.values())))
    dumped = {dump.database for dump in dumps}
    folders, excluded = _folders(plan, kept)
    return replace(
        plan,
        folders=folders,
        extra_paths=tuple(_extras(app, kept, [folder.resolved for folder in folders])),
        databases=tuple(each for each in plan.databases if each.database not in dumped),
        sources=_sources(folder),
        exclude=tuple(pattern for pattern in plan.exclude if not pattern.startswith("pf:")),
        excluded=tuple(excluded),
        layout=Layout.YUNOHOST,
        dumped=dumps,
    )


def system_laid_out(plan: AppPlan, folder: Path) -> AppPlan:
    """The same for YunoHost's own parts, which no app owns. Raises ColocError."""
    entries = parse_csv(_read(folder / "backup.csv", plan.app.id))
    _require_whole("the system parts", folder, [entry.member for entry in entries])
    return replace(plan, sources=_sources(folder), layout=Layout.YUNOHOST)


def find_dumps(plan: AppPlan, folder: Path, declared: frozenset[str]) -> Iterable[DumpInside]:
    """The dumps that the app's script wrote itself: SQL files at the top of its part that no line of the csv names."""
    top = folder / "apps" / plan.app.id / "backup"
    known = [each.database for each in plan.databases if each.database.kind is not DatabaseKind.SQLITE]
    taken: set[Database] = set()
    for path in sorted(top.glob("*.sql")) if top.is_dir() else []:
        member = str(path.relative_to(folder))
        if member in declared or path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            head = file.read(_HEAD)
        database = whose(head, path.stem, [each for each in known if each not in taken])
        if database is None:
            continue
        result = scan(path, database.kind)
        if result.failure:
            continue  # saved as a file all the same; the database gets a dump of ours, in an archive of its own
        if not result.end_marker:
            raise ColocError(
                f"{plan.app.id}: the dump {path.name} of {database.name} has no end",
                hint="is the disk of /home full? look at the app's backup script, and run it again",
            )
        taken.add(database)
        yield DumpInside(database, member, result.bytes, result.sha256, result.tables)


def whose(head: bytes, stem: str, known: Sequence[Database]) -> Database | None:
    """The database that a dump is of; None when that is not certain. MariaDB's dumps name it, PostgreSQL's do not."""
    if b"-- PostgreSQL database dump" in head:
        kind = DatabaseKind.POSTGRESQL
    elif b"-- MariaDB dump" in head or b"-- MySQL dump" in head:
        kind = DatabaseKind.MYSQL
    else:
        return None
    ours = [database for database in known if database.kind is kind]
    if kind is DatabaseKind.MYSQL:
        line = next((line for line in head.splitlines() if line.startswith(b"-- Host: ")), b"")
        named = line.partition(b"Database: ")[2].strip().decode("utf-8", "surrogateescape")
        return next((database for database in ours if database.name == named), None)
    by_name = [database for database in ours if database.name == stem]
    return (by_name or ours)[0] if len(by_name or ours) == 1 else None


def scan(path: Path, kind: DatabaseKind) -> DumpResult:
    """Bytes, hash, rows and end of a dump. `failure`: why it cannot be loaded into a database of another name."""
    rows = MysqlRows() if kind is DatabaseKind.MYSQL else PostgresqlRows()
    stream = Stream(rows, lambda _: None)
    leads_out = False
    with path.open("rb") as file:
        rest = b"\n"
        while piece := file.read(_PIECE):
            stream.feed(piece)
            window = rest + piece
            leads_out = leads_out or any(b"\n" + word in window for word in _LEADS_OUT[kind])
            rest = window[-32:]
    result = stream.result()
    return replace(result, failure="it names a database itself" if leads_out else "")


def parse_info(text: str) -> Mapping[str, object]:
    """YunoHost's info.json. Raises ColocError."""
    try:
        data = json.loads(text)
        return {"apps": dict(data["apps"]), "system": dict(data["system"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ColocError(
            "YunoHost's info.json cannot be read", hint="run it again; look at yunohost log list"
        ) from error


def _folders(plan: AppPlan, kept: Mapping[str, str]) -> tuple[tuple[SavedFolder, ...], list[str]]:
    """The app's folders that its script saves, and words for those that it does not."""
    saved, missing = [], list(plan.excluded)
    for folder in plan.folders:
        member = next((m for path in (folder.resolved, folder.path) if (m := _within(path, kept))), "")
        if member:
            default = f"apps/{plan.app.id}/backup{folder.resolved}"
            saved.append(replace(folder, member="" if member == default else member))
        else:
            missing.append(f"{folder.path}: the app's own backup script leaves it out")
    return tuple(saved), missing


def _within(path: str, kept: Mapping[str, str]) -> str:
    """The member of a path that is in the csv, or below one that is; "" for none."""
    for source, member in kept.items():
        if path == source or path.startswith(f"{source}/"):
            return member + path[len(source) :]
    return ""


def _extras(app: str, kept: Mapping[str, str], folders: Sequence[str]) -> Iterable[str]:
    """Settings that can take their place again alone: those that lie where YunoHost's layout says."""
    yield f"etc/yunohost/apps/{app}"
    for source, member in kept.items():
        inside = any(source == folder or source.startswith(f"{folder}/") for folder in folders)
        if source.startswith("/etc/") and member == f"apps/{app}/backup{source}" and not inside:
            yield source.lstrip("/")


def _require_whole(what: str, folder: Path, members: Sequence[str]) -> None:
    for member in members:
        if not os.path.lexists(folder / member):
            raise ColocError(
                f"{what}: YunoHost did not lay out {member}, though its backup.csv names it",
                hint="could it not be mounted? look at yunohost log list, and run it again",
            )


def _sources(folder: Path) -> tuple[str, ...]:
    return tuple(f"{folder}/./{path.name}" for path in sorted(folder.iterdir()))


def _read(path: Path, app: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_CSV).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ColocError(
            f"{app}: YunoHost laid out nothing: {path.name}: {error.strerror}", hint="look at yunohost log list"
        ) from error
