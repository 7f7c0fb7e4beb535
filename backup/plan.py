"""What a run would save: for each app its sources, what is left out and why, or why it cannot be saved. Saves nothing.

Rules. A folder that vanished, or an app whose files cannot be read, is a failure of that app, said in a sentence. An
app that has neither folders nor databases (a redirect) is skipped with a word. A folder that is a link is kept as the
link and as the folder it leads to. SQLite files that get an archive of their own are left out of the archive of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from backup.manifest import Layout, SavedFolder
from backup.names import require_id
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.model import App, AppState, Colocation, Database, DatabaseKind

_TOO_BROAD = frozenset(
    {"/", "/home", "/var", "/var/www", "/etc", "/usr", "/opt", "/home/yunohost.app", "/srv", "/root"}
)


class Files(Protocol):
    """What planning asks of the disk; see `backup.tree.Tree`."""

    def is_link(self, path: str) -> bool: ...

    def resolve(self, path: str) -> str | None: ...

    def source(self, path: str) -> str: ...


@dataclass(frozen=True, slots=True)
class SourceDatabase:
    """A database to dump; `path` is where an SQLite file really lies, "" for servers."""

    database: Database
    path: str = ""


@dataclass(frozen=True, slots=True)
class DumpInside:
    """A dump that the app's own backup script wrote among its files, whole; `tables`: rows of each, from its stream."""

    database: Database
    member: str
    bytes: int
    sha256: str
    tables: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AppPlan:
    """All that is saved of one app. `excluded`: in words, for people and for the manifest.

    `databases`: those that get a dump of ours, in an archive of its own; `dumped`: those that lie among the files.
    """

    app: App
    folders: tuple[SavedFolder, ...]
    extra_paths: tuple[str, ...]
    databases: tuple[SourceDatabase, ...]
    sources: tuple[str, ...]  # for Borg
    exclude: tuple[str, ...]  # Borg's patterns
    excluded: tuple[str, ...]
    layout: Layout = Layout.OWN
    dumped: tuple[DumpInside, ...] = ()


@dataclass(frozen=True, slots=True)
class NotSaved:
    """An app that this run does not save, and why."""

    app: str
    why: str


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What a run would do, in the order of ids. `failed` makes the run fail; `skipped` does not."""

    apps: tuple[AppPlan, ...]
    skipped: tuple[NotSaved, ...] = ()
    failed: tuple[NotSaved, ...] = ()


def plan_backup(config: Config, colocation: Colocation, files: Files, *, only: Sequence[str] = ()) -> BackupPlan:
    """The plan for all apps, or for those named in `only`. Raises ColocError for a name that is no app."""
    known = colocation.inventory.apps
    unknown = [name for name in only if name not in known]
    if unknown:
        names = ", ".join(sorted(known)[:20]) or "none was found"
        raise ColocError(f"there is no app {unknown[0]!r} here", hint=f"the apps are: {names}")
    plans, skipped, failed = [], [], []
    for name in sorted(only or known):
        app = known[name]
        if (reason := _why_skipped(app)) and name not in only:
            skipped.append(NotSaved(name, reason))
            continue
        try:
            plans.append(plan_app(config, app, files))
        except ColocError as error:
            failed.append(NotSaved(name, error.sentence()))
    return BackupPlan(tuple(plans), tuple(skipped), tuple(failed))


def without(plan: BackupPlan, apps: Mapping[str, str]) -> BackupPlan:
    """The plan without these apps (id → why): they fail, so that nothing half changed is called a backup."""
    kept = tuple(each for each in plan.apps if each.app.id not in apps)
    hint = "finish it with `coloc-agent restore --resume`, or take it back with `coloc-agent restore undo`"
    refused = [NotSaved(each.app.id, f"{apps[each.app.id]} — {hint}") for each in plan.apps if each.app.id in apps]
    return replace(plan, apps=kept, failed=(*plan.failed, *refused))


def plan_app(config: Config, app: App, files: Files) -> AppPlan:
    """The sources of one app. Raises ColocError with one sentence when it cannot be saved whole."""
    require_id(app.id)
    if app.state is AppState.BROKEN:
        why = "; ".join(app.problems[:2]) or "its settings cannot be read"
        raise ColocError(f"{app.id} is broken: {why}", hint="mend its settings.yml, or remove the app")
    wanted, excluded = _wanted_folders(app)
    folders = tuple(_folder(app, path, files) for path in wanted)
    extras = tuple(_existing(_extras(app), files))
    databases = (*(_database(app, database, files) for database in app.databases), *_redis(config, app))
    if not folders and not databases:
        raise ColocError(f"{app.id} has nothing to save", hint="name its folders or databases in apps: of coloc.yml")
    own = [each.path for each in databases if each.path]
    patterns = [f"pf:{_plain(files.source(path + tail))}" for path in own for tail in ("", "-wal", "-shm", "-journal")]
    links = [folder.path for folder in folders if files.is_link(folder.path)]
    below = _outermost([folder.resolved for folder in folders])
    others = [f"/{path}" for path in extras if not any(f"/{path}".startswith(f"{folder}/") for folder in below)]
    excluded += [f"{path}: in an archive of its own" for path in own] + [f"{each}" for each in config.backup.exclude]
    return AppPlan(
        app,
        folders,
        extras,
        databases,
        tuple(files.source(path) for path in dict.fromkeys([*links, *below, *others])),
        (*patterns, *config.backup.exclude),
        tuple(excluded),
    )


def _why_skipped(app: App) -> str:
    if app.state is AppState.STRAY:
        return "leftovers of an app that is gone"
    if app.state is not AppState.BROKEN and not app.folders and not app.databases:
        return "it has neither folders nor databases of its own"
    return ""


def _wanted_folders(app: App) -> tuple[list[str], list[str]]:
    if app.do_not_backup_data and app.data_dir:
        kept = [folder for folder in app.folders if folder != app.data_dir]
        return kept, [f"{app.data_dir}: do_not_backup_data is set for this app"]
    return list(app.folders), []


def _folder(app: App, path: str, files: Files) -> SavedFolder:
    try:
        resolved = files.resolve(path)
    except OSError as error:
        raise ColocError(f"{app.id}: {path} cannot be looked at: {error.strerror}", hint="run it as root") from error
    if resolved is None:
        raise ColocError(f"{app.id}: its folder {path} does not exist", hint="is a disk not mounted? was it moved?")
    if resolved in _TOO_BROAD:
        raise ColocError(f"{app.id}: {path} leads to {resolved}, which is not its own", hint="mend the app's folder")
    return SavedFolder(path, resolved)


def _database(app: App, database: Database, files: Files) -> SourceDatabase:
    if database.kind is not DatabaseKind.SQLITE:
        return SourceDatabase(database)
    resolved = files.resolve(database.name)
    if resolved is None:
        raise ColocError(f"{app.id}: its database {database.name} does not exist", hint="was it moved?")
    return SourceDatabase(database, resolved)


def _redis(config: Config, app: App) -> Iterator[SourceDatabase]:
    """The number that its settings or coloc.yml name, unless that is said to be a cache."""
    entry = config.apps.get(app.id)
    said = entry.redis_db if entry else None
    number = app.redis_db if said is None else said
    if isinstance(number, int):
        yield SourceDatabase(Database(DatabaseKind.REDIS, str(number)))


def _extras(app: App) -> Iterator[str]:
    """What a restore needs besides folders: settings, web server, php, units, cron."""
    if not app.declared:
        yield f"/etc/yunohost/apps/{app.id}"
    yield from app.nginx_conf
    yield from (pool.file for pool in app.php_pools)
    for unit in app.services:
        name = unit if "." in unit else f"{unit}.service"
        yield f"/etc/systemd/system/{name}"
        yield f"/etc/systemd/system/{name}.d"
    yield from app.cron


def _existing(paths: Iterator[str], files: Files) -> Iterator[str]:
    """Those that are there and are theirs: a unit may live in /usr/lib, or belong to the distribution."""
    for path in dict.fromkeys(paths):
        if path.startswith("/") and files.resolve(path) is not None:
            yield path.lstrip("/")


def _outermost(paths: Sequence[str]) -> list[str]:
    """Without the folders that lie in another one: Borg would save them twice."""
    unique = list(dict.fromkeys(paths))
    return [path for path in unique if not any(path.startswith(f"{other}/") for other in unique if other != path)]


def _plain(source: str) -> str:
    return source.replace("/./", "/", 1)


def members_of(plan: AppPlan) -> dict[str, str]:
    """The app's folders as they really lie below the root, and where each lies in the archive of files."""
    inside = f"apps/{plan.app.id}/backup" if plan.layout is Layout.YUNOHOST else ""
    paths = dict.fromkeys((folder.resolved, folder.member) for folder in plan.folders)
    return {path.lstrip("/"): member or f"{inside}{path}".lstrip("/") for path, member in paths}
