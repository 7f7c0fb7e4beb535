"""One look at a server's files: every shared file is read once, then each app takes its part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from coloc.inventory.accounts import account_of, read_accounts
from coloc.inventory.changed import modified_files
from coloc.inventory.cron import cron_by_app
from coloc.inventory.databases import server_databases
from coloc.inventory.documents import Document
from coloc.inventory.entries import Entry, read_entries
from coloc.inventory.logs import log_dirs
from coloc.inventory.mail import sender_of
from coloc.inventory.owners import Owners
from coloc.inventory.php import pools_by_app, version_of
from coloc.inventory.settings import as_text, is_nothing
from coloc.inventory.tree import Tree
from coloc.inventory.units import declared_by_app, declared_services, log_files, units_by_app
from coloc.inventory.web import main_domain, nginx_by_app, patterns_of, permissions_of, read_domains, urls_of
from coloc.model import App, AppState, Database, Inventory, PhpPool

SqliteSearch = Callable[[str, tuple[str, ...], frozenset[str]], tuple[Database, ...]]


@dataclass(frozen=True, slots=True)
class _Server:
    """What apps share, already divided between them."""

    accounts: frozenset[str]
    domains: tuple[str, ...]
    units: Mapping[str, tuple[str, ...]]
    services: Mapping[str, Document]
    declared: Mapping[str, tuple[str, ...]]
    pools: Mapping[str, tuple[PhpPool, ...]]
    cron: Mapping[str, tuple[str, ...]]
    nginx: Mapping[str, tuple[str, ...]]
    folders: frozenset[str]


def read_server(tree: Tree, find_sqlite: SqliteSearch) -> Inventory:
    """Everything that the files below the tree's root say. Raises nothing."""
    entries, not_apps = read_entries(tree)
    server = _look(tree, entries)
    apps = {app: _app(tree, server, entry, find_sqlite) for app, entry in entries.items()}
    return Inventory(apps, not_apps, server.domains, main_domain(tree))


def _look(tree: Tree, entries: Mapping[str, Entry]) -> _Server:
    owners = Owners(entries)
    units, services = units_by_app(tree, owners), declared_services(tree)
    folders = [folder for entry in entries.values() for folder in (entry.install_dir, entry.data_dir) if folder]
    return _Server(
        read_accounts(tree),
        read_domains(tree),
        units,
        services,
        declared_by_app(services, units, owners),
        pools_by_app(tree, owners),
        cron_by_app(tree, owners),
        nginx_by_app(tree, owners, {app: entry.settings.domain() for app, entry in entries.items()}),
        frozenset(folders),
    )


def _app(tree: Tree, server: _Server, entry: Entry, find_sqlite: SqliteSearch) -> App:
    app, settings, manifest = entry.id, entry.settings, entry.manifest
    permissions = settings.permissions() or {}
    domain, path = settings.domain(), settings.url_path()
    units, pools, declared = server.units.get(app, ()), server.pools.get(app, ()), server.declared.get(app, ())
    user = account_of(tree, entry, server.accounts, units, pools)
    nginx = server.nginx.get(app, ())
    urls = urls_of(entry, domain, path, permissions)
    if not urls and settings.permissions() is None and domain and path and nginx:
        urls = [f"{domain}{path}"]
    folders = tuple(folder for folder in (entry.install_dir, entry.data_dir) if folder)
    databases = server_databases(tree, entry) + find_sqlite(app, folders, server.folders - set(folders))
    built = App(
        id=app,
        base_id=entry.base_id,
        label=_label(entry),
        instance=entry.instance,
        user=user,
        domain=domain,
        path=path,
        urls=tuple(urls),
        url_patterns=patterns_of(permissions),
        version=manifest.version,
        upstream_version=manifest.upstream_version,
        packaging_version=manifest.packaging_version,
        install_time=settings.number("install_time"),
        install_dir=entry.install_dir,
        data_dir=entry.data_dir,
        log_dirs=() if entry.state is AppState.STRAY else log_dirs(tree, app, log_files(server.services, declared)),
        databases=databases,
        redis_db=settings.number("redis_db"),
        services=units,
        services_declared=declared,
        php_pools=pools,
        php_version=_php_version(entry, pools),
        ports=settings.ports(legacy=manifest.packaging_version == 1),
        permissions=permissions_of(permissions),
        mail_allowed=sender_of(app, settings) is not None,
        mail_sender=sender_of(app, settings),
        cron=server.cron.get(app, ()),
        nginx_conf=nginx,
        modified_files=modified_files(tree, settings.checksums()),
        do_not_backup_data=settings.is_on("do_not_backup_data"),
    )
    return _judged(tree, server, entry, built)


def _judged(tree: Tree, server: _Server, entry: Entry, app: App) -> App:
    """The same app with its state and all that is wrong with it."""
    missing: list[str] = []
    if entry.state is AppState.OK:
        missing = _missing(tree, server, entry, app)
    problems = (*entry.problems, *entry.settings.problems, *missing)
    state = AppState.PARTIAL if missing and entry.state is AppState.OK else entry.state
    return replace(app, state=state, problems=tuple(dict.fromkeys(problems)))


def _missing(tree: Tree, server: _Server, entry: Entry, app: App) -> list[str]:
    """What the package asked for and is not there: an installation, a removal or a restore stopped half way."""
    asked = entry.manifest.resources
    settings = entry.settings
    wanted = {
        "install_dir": app.install_dir,
        "data_dir": app.data_dir,
        "system_user": app.user,
        "database": settings.text("db_name"),
        "permissions": settings.permissions(),
    }
    names = {"system_user": "system account", "permissions": "_permissions", "database": "db_name"}
    missing = [
        f"the package declares {resource} but there is no {names.get(resource, resource)}"
        for resource, value in wanted.items()
        if resource in asked and value is None
    ]
    if app.install_dir and not tree.is_folder(app.install_dir):
        missing.append("its install_dir does not exist")
    if app.domain and app.domain not in server.domains:
        missing.append("its domain is not served by this server")
    return missing


def _label(entry: Entry) -> str:
    """What the admin called it, else the package's own name. A label that the package itself gave is no choice."""
    main = (entry.settings.permissions() or {}).get("main", {})
    chosen = as_text(main.get("label"))
    if chosen == entry.manifest.main_label:
        chosen = None
    return chosen or entry.settings.text("label") or entry.manifest.name or entry.id


def _php_version(entry: Entry, pools: tuple[PhpPool, ...]) -> str | None:
    for key in ("php_version", "phpversion"):
        version = entry.settings.text(key)
        if version is not None:
            return None if is_nothing(version) else version
    return version_of(pools)
