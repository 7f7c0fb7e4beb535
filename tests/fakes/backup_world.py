"""A small server to back up: a root with apps, a configuration with hosts, and one call for a run."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

from backup.borg import Repository
from backup.hosts import open_repository
from backup.journal import open_journal
from backup.night import NightResult, Step
from backup.nightly import run_night
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.facts import Fact, Spool
from coloc.model import App, Colocation, Database, DatabaseKind, Inventory
from coloc.times import now_utc


@dataclass
class World:
    """Everything below one temporary folder."""

    folder: Path
    hosts: dict[str, dict[str, object]] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    backup: dict[str, object] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    projects: dict[str, list[str]] = field(default_factory=dict)  # name → apps
    adminsys: dict[str, dict[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.passphrase("passphrase", "a good long passphrase")

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def passphrase(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(f"{text}\n")
        path.chmod(0o600)
        return path

    def local_host(self, name: str, **keys: object) -> Path:
        """A host that is a folder."""
        path = self.folder / "hosts" / name
        path.parent.mkdir(exist_ok=True)
        self.hosts[name] = {"path": str(path), **keys}
        return path

    def app(self, name: str, *, rows: int | None = None, size: int = 2000) -> App:
        """An app with a file, and with an SQLite database when it is given rows."""
        home = self.root / "var/www" / name
        home.mkdir(parents=True)
        (home / "index.php").write_bytes(b"<?php " + name.encode() * (size // len(name)))
        if rows is not None:
            _fill(home / "notes.db", rows)
        databases = (Database(DatabaseKind.SQLITE, f"/var/www/{name}/notes.db"),) if rows is not None else ()
        folder = f"/var/www/{name}"
        app = App(name, name, name, version="1.0~ynh1", install_dir=folder, databases=databases, declared=True)
        self.apps[name] = app
        return app

    def as_yaml(self) -> str:
        """The configuration, with the apps declared in it."""
        declared = {
            name: {
                "folders": list(app.folders),
                "databases": [{"kind": str(each.kind), "name": each.name} for each in app.databases],
            }
            for name, app in self.apps.items()
        }
        paths = {name: str(self.folder / name) for name in ("state", "facts", "journal", "requests")} | self.paths
        backup = {"passphrase_file": str(self.folder / "passphrase"), "hosts": self.hosts} | self.backup
        projects = {name: {"apps": list(apps)} for name, apps in self.projects.items()}
        top = {"coloc": {"name": "ruche", "language": self.language}, "root": str(self.root), "projects": projects}
        top["adminsys"] = self.adminsys
        return yaml.safe_dump({**top, "apps": declared, "paths": paths, "backup": backup})

    @property
    def config(self) -> Config:
        return parse_config(self.as_yaml().encode(), "coloc.yml")

    @property
    def colocation(self) -> Colocation:
        shares = {app: {name: 1.0} for name, apps in self.projects.items() for app in apps}
        return Colocation(Inventory(dict(self.apps)), tuple(self.projects), shares)

    def repository(self, host: str) -> Repository:
        return open_repository(self.config, host, lock_wait=5)

    def remove(self, name: str) -> None:
        """The app leaves the server."""
        shutil.rmtree(self.root / "var/www" / name)
        del self.apps[name]

    def facts(self, kind: str) -> list[Fact]:
        facts = Spool(self.config.paths.facts).read()
        return [fact for fact in facts if isinstance(fact, Fact) and fact.kind == kind]

    def run(
        self,
        *,
        apps: Sequence[str] = (),
        hosts: Sequence[str] = (),
        stop: threading.Event | None = None,
        on_progress: Callable[[Step], None] | None = None,
        lock_wait: int = 5,
        nightly: bool = False,
        clock: Callable[[], datetime] = now_utc,
    ) -> NightResult:
        """One run, as the command makes it."""
        journal = open_journal(self.config.paths.journal)
        try:
            return run_night(
                self.config,
                self.colocation,
                apps=apps,
                hosts=hosts,
                spool=Spool(self.config.paths.facts),
                journal=journal,
                stop=stop,
                on_progress=on_progress or (lambda _: None),
                lock_wait=lock_wait,
                nightly=nightly,
                clock=clock,
            )
        finally:
            journal.close()


def _fill(path: Path, rows: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO notes (text) VALUES (?)", [(f"note {row}",) for row in range(rows)])
        connection.commit()
