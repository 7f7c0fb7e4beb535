"""The databases of a restore: fetched, loaded beside the live ones, counted against the manifest, then exchanged."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from backup import swap_mysql, swap_postgresql, swap_redis
from backup.borg import Repository
from backup.manifest import Manifest, SavedDatabase
from backup.restore_journal import RestoreJournal
from backup.restore_prepare import Place, database_file, folder_on_disk, nearest
from backup.restore_undo import Hands
from backup.staging import Staging
from backup.swap_mysql import MysqlSwap
from backup.swap_postgresql import PostgresqlSwap
from backup.swap_redis import RedisSwap
from backup.tree import Tree
from coloc.databases import mysql, postgresql, sqlite
from coloc.databases.redis_scratch import try_dump
from coloc.errors import ColocError
from coloc.model import DatabaseKind

_LOAD_SECONDS = 12 * 3600.0


class Loader:
    """The databases of one restore, from the archive to their place."""

    def __init__(
        self, journal: RestoreJournal, repository: Repository, hands: Hands, manifest: Manifest, root: Path
    ) -> None:
        self._journal, self._repository, self._hands = journal, repository, hands
        self._manifest, self._tree = manifest, Tree(root)
        self._mysql: list[MysqlSwap] = []
        self._postgresql: list[PostgresqlSwap] = []
        self._redis: list[RedisSwap] = []
        self._files: list[tuple[Path, Path]] = []
        self._nested: list[Path] = []  # SQLite files that wait in a folder which is exchanged as a whole

    def prepare(self, database: SavedDatabase, staging: Staging, places: Sequence[Place]) -> None:
        """Bring it beside its place and compare it with the manifest. Raises ColocError; nothing live was touched."""
        if database.kind is DatabaseKind.SQLITE:
            self._prepare_file(database, staging, places)
            return
        if database.kind is DatabaseKind.REDIS:
            self._prepare_redis(database)
            return
        dump = self._journal.folder / "dumps" / f"{len(self._mysql) + len(self._postgresql)}.sql"
        dump.parent.mkdir(mode=0o700, exist_ok=True)
        fetch(self._repository, database, dump)
        if database.kind is DatabaseKind.MYSQL:
            self._prepare_mysql(database, dump)
        else:
            self._prepare_postgresql(database, dump)
        dump.unlink()

    def keep_live_files(self, staging: Staging, places: Sequence[Place]) -> None:
        """SQLite files that are not restored, in a folder that is: they go on living in the new folder."""
        done = {path for path, _ in self._files} | set(self._nested)
        for database in self._manifest.databases:
            if database.kind is not DatabaseKind.SQLITE:
                continue
            path = self.path_of(database)
            inside = _inside(path, places)
            if path in done or inside is None or path.is_symlink() or not path.is_file():
                continue  # a link is in the archive as such
            copy = staging.within(inside, path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            sqlite.copy_online(path, copy)
            like(copy, path)

    def exchange(self, staging: Staging) -> None:
        """Let them take their places."""
        for mysql_swap in self._mysql:
            self._journal.step("mysql", swap=mysql_swap.as_data())
            swap_mysql.do(mysql_swap, self._hands.servers, run=self._hands.run)
        for swap in self._postgresql:
            self._journal.step("postgresql", swap=swap.as_data())
            swap_postgresql.do(swap, self._hands.servers, run=self._hands.run)
        for redis_swap in self._redis:
            swap_redis.keep(redis_swap, self._hands.servers)
            self._journal.step("redis", swap=redis_swap.as_data())
            swap_redis.do(redis_swap, self._hands.servers)
        for path, new in self._files:
            for suffix in sqlite.BESIDE:
                beside = path.with_name(path.name + suffix)
                if beside.exists():
                    staging.move(beside, new.with_name(new.name + suffix))
            staging.exchange(new, path, sqlite=True)

    def path_of(self, database: SavedDatabase) -> Path:
        """Where an SQLite file lies for us. Raises ColocError."""
        return database_file(self._tree, self._manifest, database)

    def _prepare_file(self, database: SavedDatabase, staging: Staging, places: Sequence[Place]) -> None:
        path = self.path_of(database)
        inside = _inside(path, places)
        if inside is not None:
            new = staging.within(inside, path)
            self._nested.append(path)
        else:
            new = staging.make(self._beside(path)) / path.relative_to("/")
            self._files.append((path, new))
        new.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", *sqlite.BESIDE):  # YunoHost's layout holds the file as it was while the app wrote in it
            new.with_name(new.name + suffix).unlink(missing_ok=True)
        fetch(self._repository, database, new)
        compare(database, sqlite.check_and_count(new))
        like(new, path if path.is_file() and not path.is_symlink() else None)

    def _prepare_redis(self, database: SavedDatabase) -> None:
        new, kept = (self._journal.folder / f"redis-{database.name}-{what}" for what in ("new", "kept"))
        fetch(self._repository, database, new)
        found = try_dump(new)
        compare(database, {**database.tables, **found})
        self._redis.append(RedisSwap(database.name, str(new), str(kept)))

    def _beside(self, path: Path) -> Path:
        """Beside the app's folder and not in it, when that is the same filesystem."""
        here = nearest(path.parent)
        for folder in self._manifest.folders:
            top = folder_on_disk(self._tree, folder.resolved.lstrip("/"))
            if path.is_relative_to(top) and nearest(top.parent).stat().st_dev == here.stat().st_dev:
                return top.parent
        return path.parent

    def _prepare_mysql(self, database: SavedDatabase, dump: Path) -> None:
        servers, run, number = self._hands.servers, self._hands.run, self._journal.id[-6:]
        swap = MysqlSwap(
            database.name,
            _beside_name(database.name, f"__coloc_{number}", mysql.MAX_NAME),
            _beside_name(database.name, f"__kept_{number}", mysql.MAX_NAME),
            f"__coloc_marker_{number}",
            mysql.exists(servers, database.name, run=run),
            str(self._journal.folder / f"definitions-{len(self._mysql)}"),
        )
        self._journal.step("scratch", database=str(database.kind), name=swap.scratch)
        mysql.create(servers, swap.scratch, like=swap.live, run=run)
        mysql.load(servers, swap.scratch, dump, timeout=_LOAD_SECONDS, run=run)
        compare(database, mysql.row_counts(servers, swap.scratch, database.tables, run=run))
        self._mysql.append(swap)

    def _prepare_postgresql(self, database: SavedDatabase, dump: Path) -> None:
        servers, run, number = self._hands.servers, self._hands.run, self._journal.id[-6:]
        swap = PostgresqlSwap(
            database.name,
            _beside_name(database.name, f"__coloc_{number}", postgresql.MAX_NAME),
            _beside_name(database.name, f"__kept_{number}", postgresql.MAX_NAME),
            postgresql.exists(servers, database.name, run=run),
        )
        self._journal.step("scratch", database=str(database.kind), name=swap.scratch)
        owner = self._manifest.user or database.name
        if not swap.existed:  # on a server that never had it, its roles are missing as well
            postgresql.make_roles(servers, {owner, *postgresql.roles_in(dump)}, run=run)
        swap_postgresql.create_scratch(swap, servers, owner=owner, run=run)
        postgresql.load(servers, swap.scratch, dump, timeout=_LOAD_SECONDS, run=run)
        counted = postgresql.row_counts(servers, swap.scratch, run=run)
        compare(database, {table: counted.get(table, -1) for table in database.tables})
        self._postgresql.append(swap)


def fetch(repository: Repository, database: SavedDatabase, to: Path) -> None:
    """A dump out of its archive, compared with what the manifest says of it. Raises ColocError."""
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:

        def take(piece: bytes) -> None:
            nonlocal size
            file.write(piece)
            digest.update(piece)
            size += len(piece)

        repository.stream_member(database.archive, database.file, take)
    if (size, digest.hexdigest()) != (database.bytes, database.sha256):
        raise ColocError(
            f"the dump of {database.name} came back different ({size} bytes, {database.bytes} were saved)",
            hint="use another archive or host, and check this repository",
        )


def compare(database: SavedDatabase, found: Mapping[str, int]) -> None:
    """Are the rows those that were saved? Raises ColocError."""
    for table, rows in database.tables.items():
        if found.get(table) != rows:
            raise ColocError(
                f"{database.name}: table {table!r} came back with {found.get(table)} rows, {rows} were saved",
                hint="use another archive or host; nothing live was touched",
            )


def _inside(path: Path, places: Sequence[Place]) -> Place | None:
    return next((place for place in places if not place.target.is_setting and path.is_relative_to(place.path)), None)


def like(new: Path, old: Path | None) -> None:
    """Owner and mode of the file that it replaces; without one, of the folder that it lies in."""
    model = (old or new.parent).lstat()
    descriptor = os.open(new, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.geteuid() == 0:
            os.fchown(descriptor, model.st_uid, model.st_gid)
        os.fchmod(descriptor, model.st_mode & 0o777 if old else 0o640)
    finally:
        os.close(descriptor)


def _beside_name(name: str, suffix: str, most: int) -> str:
    """`name` and the suffix in at most `most` bytes, cut between letters."""
    room = most - len(suffix)
    return name.encode()[:room].decode("utf-8", "ignore") + suffix
