"""A small colocation with every collector on it, where each figure is known."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from collectors.agent_facts import (
    BackupFact,
    QuotaFact,
    backup_families,
    incident_families,
    name_families,
    quota_families,
)
from collectors.databases import DatabasesCollector
from collectors.disk import DiskCollector, Walk
from collectors.filesystems import FilesystemsCollector
from collectors.guard import Collector
from collectors.machine import MachineCollector, MachineFiles
from collectors.processes import ProcessesCollector
from collectors.procfs import ProcFiles
from collectors.sampler import Sampler
from collectors.services import ServicesCollector
from coloc.model import App, Database, DatabaseKind, PhpPool
from coloc.services import Unit
from tests.fakes.colocations import colocation
from tests.fakes.house_files import house_collectors, lay_out_house
from tests.fakes.proc import FakeProc

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPS = colocation(
    App(
        "blog",
        "wordpress",
        "Blog",
        user="blog",
        domain="chorale.test",
        version="6.9~ynh1",
        packaging_version=2,
        install_dir="/var/www/blog",
        databases=(Database(DatabaseKind.MYSQL, "blog"),),
        php_pools=(PhpPool("/etc/php/8.2/fpm/pool.d/blog.conf", "blog", "blog"),),
    ),
    App(
        "nuage",
        "nextcloud",
        "Nuage",
        user="nuage",
        domain="nuage.test",
        version="33.0~ynh1",
        packaging_version=2,
        install_dir="/var/www/nuage",
        databases=(Database(DatabaseKind.POSTGRESQL, "nuage"), Database(DatabaseKind.SQLITE, "/var/www/nuage/x.db")),
        services=("nuage", "nuage-push"),
    ),
    App("page", "my_webapp", "Page"),
    App("borg", "borg", "Borg"),
    shares={"blog": {"chorale": 1.0}, "nuage": {"chorale": 0.25, "velo": 0.75}},
)
_UIDS = {"blog": 901, "nuage": 902}


class FlatWalk(Walk):
    """Finds the same in every folder."""

    def run(self, folders: Sequence[Path], end: float) -> bool:
        self.bytes, self.files = 4096 * len(folders), 3
        return True


class MeasuredHouse:
    """The collectors, their fake machine, and a sampler with the agent's facts."""

    def __init__(self, folder: Path) -> None:
        self.proc = FakeProc(folder / "proc")
        self.root = folder / "root"
        self.collectors = self._collectors()
        self._lay_out()
        self._clock = 100.0
        self.sampler = Sampler(self.collectors, lambda: APPS, clock=lambda: self._clock, now=lambda: NOW)
        self._put_facts()

    def work(self) -> None:
        """Everybody works a little."""
        self.proc.process(51, uid=901, parent=50, used=(120, 30), pages=250)
        self.proc.process(60, uid=902, cgroup="/system.slice/nuage.service", used=(40, 8), threads=4, pages=500)
        self.proc.machine(400, 100)

    def _collectors(self) -> list[Collector]:
        machine = MachineFiles(self.proc.root)
        return [
            ProcessesCollector(
                lambda names: {name: _UIDS[name] for name in names},
                files=ProcFiles(self.proc.root),
                machine=machine,
                ticks_per_second=100,
                page_bytes=4096,
                owner=self.proc.owner,
                clock=lambda: 0.0,
            ),
            MachineCollector(files=machine, ticks_per_second=100),
            FilesystemsCollector(self.root, statvfs=_statvfs),
            ServicesCollector(show=_show),
            DiskCollector(self.root, walk=FlatWalk),
            DatabasesCollector(self.root, sizes={DatabaseKind.MYSQL: _sizes, DatabaseKind.POSTGRESQL: _sizes}),
            *house_collectors(self.root),
        ]

    def _lay_out(self) -> None:
        for name in ("blog", "nuage"):
            (self.root / "var/www" / name).mkdir(parents=True)
        (self.root / "var/www/nuage/x.db").write_bytes(b"x" * 8192)
        lay_out_house(self.root)
        self.proc.process(50)
        self.proc.process(51, uid=901, parent=50)
        self.proc.process(60, uid=902, cgroup="/system.slice/nuage.service")

    def _put_facts(self) -> None:
        backups = [
            BackupFact("blog", "chorale", "merle", NOW, NOW, 123_456),
            BackupFact("nuage", "_shared", "merle", NOW, None, None),
        ]
        quotas = [
            QuotaFact("velo", "cpu", 1, 2, 0.5),
            QuotaFact("velo", "disk", 8e9, 1e10, 5e9),
            QuotaFact("velo", "processes", 80, 100, None),
        ]
        self.sampler.put("names", name_families(APPS, coloc="demo", kind="mixed", version="0.1.0"))
        self.sampler.put("backups", backup_families(backups))
        self.sampler.put("quotas", quota_families(quotas))
        self.sampler.put("incidents", incident_families({"critical": 0, "info": 0, "warning": 1}))


def _statvfs(_: Path) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, 1000, 400, 350, 5000, 4000, 4000, 0, 255))


def _show(units: Iterable[str]) -> Mapping[str, Unit]:
    return {unit: Unit(unit, active="failed" if unit == "nuage-push" else "active") for unit in units}


def _sizes(databases: Collection[Database] | Iterable[Database]) -> Mapping[Database, int]:
    return dict.fromkeys(databases, 65_536)
