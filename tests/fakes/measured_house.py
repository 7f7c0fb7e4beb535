"""A small colocation with every collector on it, where each figure is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.metrics_core import Metric

from agent.delivery_facts import channel_facts
from alerts.counts import Counts
from collectors.agent_facts import (
    BackupFact,
    QuotaFact,
    alertmanager_families,
    backup_families,
    foreign_alert_families,
    incident_families,
    name_families,
    ping_families,
    quota_families,
)
from collectors.backends import Backends
from collectors.charter_families import charter_families
from collectors.databases import DatabasesCollector
from collectors.disk import DiskCollector, Walk
from collectors.drill_families import CheckFact, DrillAwaitedFact, DrillFact, check_families, drill_families
from collectors.exit_client import Exits
from collectors.filesystems import FilesystemsCollector
from collectors.guard import Collector
from collectors.host_families import RoomFact, host_families
from collectors.machine import MachineCollector, MachineFiles
from collectors.mail import MailCollector
from collectors.oom_kills import OomKillsCollector
from collectors.outbox_facts import outbox_families
from collectors.php import PhpCollector
from collectors.pressure import PressureCollector
from collectors.process_details import ProcessDetailsCollector
from collectors.process_table import Known
from collectors.processes import ProcessesCollector
from collectors.procfs import ProcFiles
from collectors.rule_facts import (
    AwaitedFact,
    MaintenanceFact,
    ProjectFact,
    StepFact,
    TryFact,
    config_families,
    level_families,
    maintenance_families,
    project_families,
    step_families,
    try_families,
)
from collectors.sampler import Sampler
from collectors.services import ServicesCollector
from collectors.unix_diag import Listening, Queue
from collectors.web import WebCollector
from coloc.databases.answers import Answer
from coloc.model import App, Database, DatabaseKind, PhpPool
from coloc.services import Unit
from tests.fakes.cgroups import FakeCgroups
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
        path="/",
        version="6.9~ynh1",
        packaging_version=2,
        install_dir="/var/www/blog",
        databases=(Database(DatabaseKind.MYSQL, "blog"),),
        php_pools=(
            PhpPool("/etc/php/8.2/fpm/pool.d/blog.conf", "blog", "blog", "/var/run/php/php8.2-fpm-blog.sock", 8),
        ),
    ),
    App(
        "nuage",
        "nextcloud",
        "Nuage",
        user="nuage",
        domain="nuage.test",
        path="/",
        version="33.0~ynh1",
        packaging_version=2,
        install_dir="/var/www/nuage",
        do_not_backup_data=True,
        databases=(Database(DatabaseKind.POSTGRESQL, "nuage"), Database(DatabaseKind.SQLITE, "/var/www/nuage/x.db")),
        services=("nuage", "nuage-push"),
    ),
    App("page", "my_webapp", "Page"),
    App("borg", "borg", "Borg"),
    shares={"blog": {"chorale": 1.0}, "nuage": {"chorale": 0.25, "velo": 0.75}},
)
_UIDS = {"blog": 901, "nuage": 902}
OOM_OF_UID_901 = (
    "2026-11-23T12:00:00.000001+00:00 house kernel: [ 77.1] Out of memory: Killed process 51 (php-fpm8.2) "
    "total-vm:9kB, anon-rss:9kB, file-rss:0kB, shmem-rss:0kB, UID:901 pgtables:9kB oom_score_adj:0\n"
)
_EXITS = Exits("g", cursor=42, active=True, storms=1, lost=3, gaps=2, missed=0, complete=True)


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
        self.postgresql = FakeProc(folder / "postgresql")
        self.mysql_spent = 2.5
        self._changes = 1
        self.collectors = self._collectors()
        self._lay_out()
        self._clock = 100.0
        self.sampler = Sampler(self.collectors, lambda: APPS, clock=lambda: self._clock, now=lambda: NOW)
        self._put_facts()

    def work(self) -> None:
        """Everybody works a little."""
        self.proc.process(
            51,
            uid=901,
            parent=50,
            used=(120, 30),
            pages=250,
            name="php-fpm8.2",
            title="php-fpm: pool blog",
            moved=(4096, 8192),
        )
        FakeCgroups(self.root / "sys/fs/cgroup").unit("nuage.service", waited=(4_000_000, 90_000, 1_250_000), kills=0)
        with (self.root / "var/log/kern.log").open("a") as log:
            log.write(OOM_OF_UID_901)
        self.proc.process(
            60, uid=902, cgroup="/system.slice/nuage.service", used=(40, 8), threads=4, pages=500, pss_kib=80
        )
        self.proc.machine(400, 100)
        self.postgresql.process(71, parent=69, name="postgres", used=(150, 50))
        self.mysql_spent += 4.0
        self._changes += 1

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
                exits=lambda: _EXITS,
            ),
            ProcessDetailsCollector(
                self._known,
                files=ProcFiles(self.proc.root),
                machine=machine,
                ticks_per_second=100,
                spent=lambda: 0.0,
            ),
            MachineCollector(files=machine, ticks_per_second=100),
            FilesystemsCollector(self.root, statvfs=_statvfs),
            ServicesCollector(show=_show, root=self.root),
            DiskCollector(self.root, walk=FlatWalk),
            DatabasesCollector(
                self.root,
                askers={DatabaseKind.MYSQL: self._ask_mysql, DatabaseKind.POSTGRESQL: _ask_postgresql},
                backends=Backends(ProcFiles(self.postgresql.root), ticks_per_second=100),
            ),
            PressureCollector(_user_ids, root=self.root),
            OomKillsCollector(_user_ids, root=self.root),
            PhpCollector(
                _user_ids,
                cgroups=self.root / "sys/fs/cgroup",
                files=ProcFiles(self.proc.root),
                owner=self.proc.owner,
                sockets=lambda: [Listening("/run/php/php8.2-fpm-blog.sock", 7, Queue(2, 511))],
                file_number=lambda _: 7,
            ),
            WebCollector(self.root, whole=True),
            MailCollector(self.root, whole=True, user_ids=lambda names: {name: _UIDS[name] for name in names}),
            *house_collectors(self.root),
        ]

    def _ask_mysql(self) -> Answer:
        spent, connections = {"blog": self.mysql_spent}, {("blog", "blog"): 3, ("root", ""): 1}
        return Answer({"blog": 65_536}, connections, 151, spent, {"blog": self.mysql_spent / 2})

    def _known(self) -> list[Known]:
        whose = ((1, 0, None), (50, 1, None), (51, 50, "blog"), (60, 1, "nuage"))
        return [Known(pid, 100, parent, app, self._changes) for pid, parent, app in whose]

    def _lay_out(self) -> None:
        for pid, parent in ((69, 1), (70, 69), (71, 69)):
            self.postgresql.process(pid, parent=parent, name="postgres")
        for name in ("blog", "nuage"):
            (self.root / "var/www" / name).mkdir(parents=True)
        (self.root / "var/www/nuage/x.db").write_bytes(b"x" * 8192)
        lay_out_house(self.root)
        lay_out_logs(self.root)
        self.proc.process(50, name="php-fpm8.2", title="php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)")
        self.proc.process(51, uid=901, parent=50, name="php-fpm8.2", title="php-fpm: pool blog")
        groups = FakeCgroups(self.root / "sys/fs/cgroup")
        groups.unit("php8.2-fpm.service", pids=(50, 51))
        groups.unit("nuage.service", waited=(2_500_000, 40_000, 1_000_000), kills=0)
        groups.unit("coloc-velo.slice", below="coloc.slice", waited=(3_000_000, 0, 500_000))
        (self.root / "var/log").mkdir(parents=True, exist_ok=True)
        (self.root / "var/log/kern.log").write_text("")
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
        self.sampler.put("names", name_families(APPS, coloc="demo", kind="cloud", version="0.1.0"))
        self.sampler.put("backups", backup_families(backups))
        self.sampler.put("pings", ping_families(NOW, 3, 1))
        alertmanager = alertmanager_families(success=True, taken=2, failed=1)
        received = foreign_alert_families({"taken": 3, "ours": 1, "refused": 0})
        self.sampler.put("alertmanager", [*alertmanager, *received])
        self.sampler.put("quotas", quota_families(quotas))
        self.sampler.put("rules", _judged())
        self.sampler.put("incidents", incident_families({"critical": 0, "info": 0, "warning": 1}))
        points = {"bus_factor": (2, 0), "unused": (0, 1)}
        self.sampler.put("charter", charter_families(points, {"blog": 1, "nuage": 2}, {"chorale": 1, "velo": 0}, APPS))
        counts = Counts()
        counts.said("console", 0.2)
        counts.said("matrix", 4.0)
        counts.failed("matrix", "retry")
        waits = {"matrix": (2, datetime(2026, 11, 23, 5, 58, tzinfo=UTC))}
        self.sampler.put("outbox", outbox_families(channel_facts(waits, counts.now())))


def _user_ids(names: Iterable[str]) -> Mapping[str, int]:
    return {name: _UIDS[name] for name in names}


def _judged() -> list[Metric]:
    projects = [ProjectFact("chorale", "Chorale du coin", ("lea",)), ProjectFact("velo", "Vélo pour tous", ())]
    tries = [TryFact("blog", "chorale", "merle", ok=True), TryFact("nuage", "_shared", "merle", ok=False)]
    waits = [AwaitedFact(row.app, row.project, row.host, NOW) for row in tries]
    steps = [StepFact("velo", "cpu", 0), StepFact("velo", "disk", 1)]
    return [
        *project_families(projects),
        *level_families([("blog", "chorale", 0), ("nuage", "_shared", 2)]),
        *try_families(tries, waits, {"merle": True}),
        *host_families(
            [RoomFact("merle", 5_000_000_000, 4_000_000_000, 0.4)],
            {("blog", "chorale", "merle"): 1.0},
            escrowed=True,
        ),
        *drill_families(
            [
                DrillFact("blog", "chorale", "merle", True, NOW, 1.0, 12.5),
                DrillFact("nuage", "_shared", "merle", False, None, 0.12, 300.0),
            ],
            [DrillAwaitedFact("blog", "chorale", "merle", NOW), DrillAwaitedFact("nuage", "_shared", "merle", NOW)],
        ),
        *check_families([CheckFact("merle", True, NOW)]),
        *maintenance_families([MaintenanceFact(3, "", "chorale", NOW)]),
        *step_families(steps),
        *config_families(is_good=True),
    ]


def lay_out_logs(root: Path) -> None:
    """What nginx and postfix wrote about the apps."""
    (root / "var/log/nginx").mkdir(parents=True)
    for domain, path in (("chorale.test", "/"), ("nuage.test", "/index.php/x?y=1"), ("nuage.test", "/yunohost/sso/")):
        with (root / f"var/log/nginx/{domain}-access.log").open("a") as log:
            log.write(f'192.0.2.1 - camille [23/Nov/2026:12:00:00 +0000] "GET {path} HTTP/2.0" 200 512 "-" "-" 0.070\n')
    with (root / "var/log/mail.log").open("a") as log:
        stamp = "2026-11-23T12:00:00.000000+00:00 server"
        log.write(f"{stamp} postfix/pickup[7]: 0123456789A: uid=901 from=<blog>\n")
        log.write(f"{stamp} postfix/qmgr[8]: 0123456789A: from=<blog@chorale.test>, size=9, nrcpt=1 (queue active)\n")
        log.write(f"{stamp} postfix/smtp[9]: 0123456789A: to=<a@b.test>, relay=x, dsn=2.0.0, status=sent (ok)\n")


def _statvfs(_: Path) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, 1000, 400, 350, 5000, 4000, 4000, 0, 255))


def _show(units: Iterable[str]) -> Mapping[str, Unit]:
    there = {"nginx": "loaded", "php8.2-fpm": "loaded"}
    return {
        unit: Unit(unit, there.get(unit, "unknown"), "failed" if unit == "nuage-push" else "active") for unit in units
    }


def _ask_postgresql() -> Answer:
    return Answer({"nuage": 65_536}, {("nuage", "nuage"): 10}, 100, {"nuage": 7.5}, None, {71: "nuage"}, 70)
