"""Reads a YunoHost server's apps from its files below a root. Never its command line, never anything of another root.

An app whose files are damaged costs only itself. While YunoHost rewrites a settings.yml (it is empty or cut for a
moment, its write is not atomic) the app stays as it was, for at most a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from coloc.inventory import app as words
from coloc.inventory import logs, web
from coloc.inventory.app import Papers
from coloc.inventory.changed import Files
from coloc.inventory.documents import Document, read_manifest, read_settings
from coloc.inventory.root import Fingerprint, Root
from coloc.inventory.sqlite import find_databases
from coloc.inventory.units import SYSTEMD, Candidate, cron_files, owner_of_pool, pools, units_of
from coloc.model import App, AppState, Database, DatabaseKind, Inventory, PhpPool

APPS = "/etc/yunohost/apps"
_PATIENCE = timedelta(seconds=60)
_REFRESH = timedelta(minutes=10)  # for what no folder's time tells: changed files, new SQLite databases
_WATCHED = (
    APPS,
    "/etc/passwd",
    "/etc/yunohost/services.yml",
    "/etc/yunohost/current_host",
    SYSTEMD,
    "/etc/cron.d",
    "/etc/logrotate.d",
    web.NGINX,
    "/etc/php",
)


class InventoryReader:
    """Reads again only what changed; gives the same object while nothing did."""

    def __init__(self, folder: Path = Path("/")) -> None:
        self._root = Root(folder)
        self._last: Inventory | None = None
        self._marks: dict[str, Fingerprint | None] = {}
        self._read_at: datetime | None = None
        self._good: dict[str, App] = {}
        self._bad_since: dict[str, datetime] = {}

    def read(self, now: datetime) -> Inventory:
        """The apps as they are. Never raises."""
        marks = {path: self._root.fingerprint(path) for path in self._paths()}
        recent = self._read_at is not None and timedelta(0) <= now - self._read_at < _REFRESH
        if self._last is not None and recent and marks == self._marks and not self._bad_since:
            return self._last
        inventory = self._patient(read_inventory(self._root), now)
        self._marks, self._read_at = marks, now
        if inventory != self._last:
            self._last = inventory
        return self._last

    def _paths(self) -> Iterator[str]:
        yield from _WATCHED
        for name in self._root.names(APPS):
            for file in ("settings.yml", "manifest.toml", "manifest.json"):
                yield f"{APPS}/{name}/{file}"
        for name in self._root.names(web.NGINX):
            if name.endswith(".d"):
                yield f"{web.NGINX}/{name}"
        for version in self._root.names("/etc/php"):
            yield f"/etc/php/{version}/fpm/pool.d"

    def _patient(self, inventory: Inventory, now: datetime) -> Inventory:
        apps = dict(inventory.apps)
        for app_id, app in inventory.apps.items():
            before = self._good.get(app_id)
            if app.state is not AppState.BROKEN or before is None:
                self._bad_since.pop(app_id, None)
                if app.state in {AppState.OK, AppState.PARTIAL}:
                    self._good[app_id] = app
            elif abs(now - self._bad_since.setdefault(app_id, now)) < _PATIENCE:
                apps[app_id] = before
            else:
                self._good.pop(app_id, None)
                self._bad_since.pop(app_id, None)
        for app_id in set(self._good) - set(apps):
            del self._good[app_id]
            self._bad_since.pop(app_id, None)
        return replace(inventory, apps=apps)


def read_inventory(root: Root) -> Inventory:
    """Everything below `root`, read once. Never raises."""
    names = root.names(APPS)
    ids = [name for name in names if words.is_app_id(name) and root.is_folder(f"{APPS}/{name}")]
    host = root.text("/etc/yunohost/current_host").strip()
    return Inventory(
        apps={app.id: app for app in _Reading(root, ids).apps()},
        not_apps=tuple(name for name in names if name not in ids),
        domains=web.domains(root),
        main_domain=words.one_line(host) or None,
    )


def is_yunohost(root: Root) -> bool:
    """True when there is a YunoHost below `root`."""
    return root.is_folder(APPS) or root.is_file("/etc/yunohost/installed")


def users_of(root: Root) -> frozenset[str]:
    """The accounts of the server, by its own /etc/passwd."""
    return frozenset(line.split(":", 1)[0] for line in root.text("/etc/passwd").splitlines() if ":" in line)


class _Reading:
    """One pass over a server: what several apps share is read once."""

    def __init__(self, root: Root, ids: list[str]) -> None:
        self._root = root
        self._users = users_of(root)
        self._papers = {app_id: self._papers_of(app_id) for app_id in ids}
        self._candidates: dict[str, Candidate] = {
            app_id: words.candidate(papers, self._users) for app_id, papers in self._papers.items()
        }
        self._pools: dict[str, list[PhpPool]] = {}
        for pool in pools(root):
            owner = owner_of_pool(pool, self._candidates)
            if owner is not None:
                self._pools.setdefault(owner, []).append(pool)
        self._units = units_of(root, self._candidates)
        self._cron = cron_files(root, self._candidates)
        self._services = logs.declared_services(root)
        self._declared = logs.services_declared(self._services, self._units, self._candidates)
        homes = {app_id: words.domain(papers.settings) for app_id, papers in self._papers.items()}
        self._nginx = web.nginx_files(root, self._candidates, homes)
        self._served = frozenset(web.domains(root))
        self._mysql = frozenset(root.names("/var/lib/mysql"))
        self._files = Files(root)

    def _papers_of(self, app_id: str) -> Papers:
        folder = f"{APPS}/{app_id}"
        papers = Papers(app_id, read_settings(self._root, f"{folder}/settings.yml"), read_manifest(self._root, folder))
        own_id = papers.settings.text("id")
        if own_id is not None and own_id != app_id:
            # A copy: its settings speak of the other app's folders and database. YunoHost ignores them too.
            other = Document({"id": own_id}, problem=papers.settings.problem)
            return replace(papers, settings=other)
        return papers

    def apps(self) -> Iterator[App]:
        """Every app, in the order of ids."""
        yield from map(self._app, self._papers.values())

    def _app(self, papers: Papers) -> App:
        settings, manifest, app_id = papers.settings, papers.manifest, papers.id
        base, instance = words.base_and_instance(app_id)
        domain, path = words.domain(settings), words.web_path(settings)
        folders = {"install_dir": words.install_dir(settings), "data_dir": words.data_dir(settings)}
        php = tuple(self._pools.get(app_id, ()))
        user = words.user_of(app_id, self._users, php, self._unit_users(app_id))
        version, upstream = words.version(manifest)
        may_mail, sender = words.mail(papers)
        declared = self._declared.get(app_id, ())
        problems = words.problems(papers, user=user, missing=self._missing(papers), served=self._served)
        return App(
            id=app_id,
            base_id=base,
            label=words.label(papers),
            state=words.state(papers, problems),
            instance=instance,
            user=user,
            domain=domain,
            path=path,
            urls=web.urls(settings, manifest, domain, path),
            version=version,
            upstream_version=upstream,
            packaging_version=words.packaging(manifest),
            install_time=settings.number("install_time"),
            install_dir=folders["install_dir"],
            data_dir=folders["data_dir"],
            log_dirs=logs.log_folders(self._root, app_id, declared, self._services),
            databases=self._databases(papers, [folder for folder in folders.values() if folder]),
            redis_db=settings.number("redis_db"),
            services=self._units.get(app_id, ()),
            services_declared=declared,
            php_pools=php,
            php_version=words.php_version(settings),
            ports=words.ports(settings, manifest),
            permissions=web.permissions(settings),
            mail_allowed=may_mail,
            mail_sender=sender,
            cron=self._cron.get(app_id, ()),
            nginx_conf=self._nginx.get(app_id, ()),
            modified_files=self._files.changed(self._checksums(settings)),
            do_not_backup_data=settings.flag("do_not_backup_data"),
            problems=tuple(problems),
        )

    def _missing(self, papers: Papers) -> list[str]:
        """Folders that an app cannot work without; an empty one for data may be made when it is first needed."""
        code = words.install_dir(papers.settings)
        return [code] if code and not self._root.is_folder(code) else []

    def _unit_users(self, app_id: str) -> list[str]:
        found = []
        for unit in self._units.get(app_id, ()):
            for line in self._root.text(f"{SYSTEMD}/{unit}.service").splitlines():
                if line.startswith("User="):
                    found.append(line[5:].strip())
        return found

    def _databases(self, papers: Papers, folders: list[str]) -> tuple[Database, ...]:
        files = find_databases(self._root, folders)
        return words.databases(papers, self._mysql) + tuple(Database(DatabaseKind.SQLITE, path) for path in files)

    def _checksums(self, settings: Document) -> dict[str, str]:
        return {
            key.removeprefix("checksum_"): value.strip()
            for key, value in settings.values.items()
            if key.startswith("checksum_") and isinstance(value, str) and value.strip()
        }
