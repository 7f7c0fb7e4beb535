"""A server under YunoHost below a temporary root: its `yunohost`, and apps whose own scripts back them up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from agent.colocation import read_colocation
from backup.journal import open_journal
from backup.night import NightResult
from backup.nightly import run_night
from backup.yunohost_hooks import install, texts
from coloc.facts import Spool
from tests.fakes.backup_world import World
from tests.fakes.yunohost import FakeServer

MYSQL_DUMP = """\
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: {name}
-- ------------------------------------------------------
DROP TABLE IF EXISTS `notes`;
CREATE TABLE `notes` (
  `id` int(11) NOT NULL
) ENGINE=InnoDB;
INSERT INTO `notes` VALUES
(1),
(2);
-- Dump completed
"""
_MANIFEST = """\
packaging_format = 2
id = "{app}"
name = "{app}"
version = "1.0~ynh1"
[resources.database]
type = "{kind}"
"""


class YunohostServer:
    """One server, and a world of hosts that keep its backups."""

    def __init__(self, world: World) -> None:
        self.world, self.root = world, world.root
        self.files = FakeServer(world.root)
        self.program = world.folder / "yunohost"
        fake = Path(__file__).with_name("yunohost_program.py")
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} {fake} {self.root} "$@"\n')
        self.program.chmod(0o755)
        world.backup["yunohost"] = {"program": str(self.program), "system": False, "lock_wait": "20s"}

    def app(self, app: str, *, dump: str | None = None, kind: str = "mysql", script: str = "", **settings: Any) -> Path:
        """An app with a folder, a line of nginx, a database dump that its script writes, and a script to restore."""
        if dump is not None:
            settings |= {"db_name": app.replace("-", "_"), "db_user": app}
        manifest = _MANIFEST.format(app=app, kind=kind) if dump is not None else None
        folder = self.files.app(app, manifest=manifest, **settings)
        self.files.write(f"/etc/nginx/conf.d/coloc.test.d/{app}.conf", f"location /{app} {{}}\n")
        scripts = folder / "scripts"
        scripts.mkdir(exist_ok=True)
        lines = [f"ynh_backup /var/www/{app}", f"ynh_backup /etc/nginx/conf.d/coloc.test.d/{app}.conf"]
        if settings.get("data_dir"):
            lines.insert(1, 'ynh_backup "$data_dir"')
        if dump is not None:
            (scripts / "dump.sql").write_text(dump)
            lines.append(f"cat {scripts}/dump.sql > db.sql")
        (scripts / "backup").write_text("\n".join([*lines, script]) + "\n")
        back = f'mkdir -p "$ROOT/var/www" && cp -a "$YNH_APP_BACKUP_DIR/var/www/{app}" "$ROOT/var/www/"'
        (scripts / "restore").write_text(f"{back}\n")
        (scripts / "remove").write_text(f'rm -rf "$ROOT/var/www/{app}"\n')
        (scripts / "upgrade").write_text(f'echo upgraded > "$ROOT/var/www/{app}/version"\n')
        return folder

    def hooks(self, *upgrade_argv: str, before_upgrade: float = 0.0) -> None:
        """As the agent installs them."""
        install(self.root, texts(self.world.config.paths.journal, upgrade_argv, before_upgrade))

    @property
    def calls(self) -> list[str]:
        """What `yunohost` was called for."""
        log = self.root / "var/log/yunohost.calls"
        return log.read_text().splitlines() if log.exists() else []

    def run(self, **more: Any) -> NightResult:
        """One run, as the command makes it."""
        config = self.world.config
        config.paths.journal.mkdir(parents=True, exist_ok=True, mode=0o700)
        journal = open_journal(config.paths.journal)
        try:
            return run_night(
                config, read_colocation(config), spool=Spool(config.paths.facts), journal=journal, lock_wait=5, **more
            )
        finally:
            journal.close()
