"""What a colocation is made of while the agent runs: apps, their databases, and whose project they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NO_PROJECT = "_none"  # an app that no project claims
SHARED = "_shared"  # an app of several projects
SYSTEM = "_system"  # what no app used: the rest of the machine


class AppState(StrEnum):
    """How far an app's files agree with an app that works."""

    OK = "ok"
    PARTIAL = "partial"  # half installed, or the leftovers of a failed operation
    BROKEN = "broken"  # its files cannot be read
    STRAY = "stray"  # leftovers of an app that is gone


class DatabaseKind(StrEnum):
    """The kinds of databases that apps keep their data in. A Redis database is named by its number."""

    MYSQL = "mysql"
    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"
    REDIS = "redis"


@dataclass(frozen=True, slots=True, order=True)
class Database:
    """One database of an app; `name` is its absolute path when it is an SQLite file."""

    kind: DatabaseKind
    name: str


@dataclass(frozen=True, slots=True)
class PhpPool:
    """A php-fpm pool: its file, its name, the account of its workers, where it listens, how many workers it may get."""

    file: str
    pool: str
    user: str | None
    listen: str | None = None
    max_children: int | None = None


@dataclass(frozen=True, slots=True)
class App:
    """One installed app, as YunoHost or coloc.yml describe it. Paths are as the server sees them, below its root."""

    id: str
    base_id: str
    label: str
    state: AppState = AppState.OK
    instance: int = 1
    user: str | None = None
    domain: str | None = None
    path: str | None = None
    urls: tuple[str, ...] = ()
    url_patterns: tuple[str, ...] = ()  # `re:…` as YunoHost has them; no places, so not among `urls`
    version: str | None = None
    upstream_version: str | None = None
    packaging_version: int | None = None
    install_time: int | None = None
    install_dir: str | None = None
    data_dir: str | None = None
    log_dirs: tuple[str, ...] = ()
    databases: tuple[Database, ...] = ()
    redis_db: int | None = None
    services: tuple[str, ...] = ()  # unit names without ".service"
    services_declared: tuple[str, ...] = ()
    php_pools: tuple[PhpPool, ...] = ()
    php_version: str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mail_allowed: bool = False
    mail_sender: str | None = None
    cron: tuple[str, ...] = ()
    nginx_conf: tuple[str, ...] = ()
    modified_files: tuple[str, ...] = ()
    do_not_backup_data: bool = False
    problems: tuple[str, ...] = ()
    declared: bool = False  # True: from coloc.yml, False: found in YunoHost
    extra_folders: tuple[str, ...] = ()  # that coloc.yml adds to the two above

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that hold what people would miss: code, data, then what coloc.yml adds."""
        folders = (self.install_dir, self.data_dir, *self.extra_folders)
        return tuple(dict.fromkeys(folder for folder in folders if folder))


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything found on one server. `not_apps`: strange entries of YunoHost's folder of apps."""

    apps: Mapping[str, App]
    not_apps: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    main_domain: str | None = None


@dataclass(frozen=True, slots=True)
class Colocation:
    """The inventory with each app's project: what every other room of the house works on.

    `shares` holds, for every app, what part of it each project bears; the parts of an app add up to 1.
    """

    inventory: Inventory
    projects: tuple[str, ...]
    shares: Mapping[str, Mapping[str, float]]

    def project_of(self, app_id: str) -> str:
        """The `project` label of an app: its project, `_shared`, or `_none`."""
        shares = self.shares.get(app_id, {})
        if len(shares) > 1:
            return SHARED
        return next(iter(shares), NO_PROJECT)

    def apps_of(self, project: str) -> tuple[App, ...]:
        """The apps that `project` uses, alone or with others, in the order of their ids."""
        return tuple(
            self.inventory.apps[app_id]
            for app_id in sorted(self.inventory.apps)
            if project in self.shares.get(app_id, {})
        )
