"""What every collector promises: it may be asked twice, survives missing data, and names things as the others do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from collectors.certificates import CertificatesCollector
from collectors.databases import DatabasesCollector
from collectors.disk import DiskCollector
from collectors.exposition import encode
from collectors.filesystems import FilesystemsCollector
from collectors.guard import Collector
from collectors.machine import MachineCollector, MachineFiles
from collectors.mail import MailCollector
from collectors.oom_kills import OomKillsCollector
from collectors.php import PhpCollector
from collectors.pressure import PressureCollector
from collectors.process_details import ProcessDetailsCollector
from collectors.process_table import Known
from collectors.processes import ProcessesCollector
from collectors.procfs import ProcFiles
from collectors.services import ServicesCollector
from collectors.upkeep import UpkeepCollector
from collectors.web import WebCollector
from collectors.yunohost import YunohostCollector
from coloc.model import App, AppState, Database, DatabaseKind
from coloc.services import Unit
from tests.fakes.colocations import colocation, figures
from tests.fakes.measured_house import APPS, MeasuredHouse

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS = {"app", "project", "mode", "database", "kind", "mount", "resource", "minutes"} | {
    "unit",
    "state",
    "pool",
    "code",
    "result",
    "le",
    "base",
    "category",
    "status",
    "domain",
}
UNITS = (
    "_bytes",
    "_seconds",
    "_ratio",
    "_processes",
    "_threads",
    "_files",
    "_up",
    "_success",
    "_cpus",
    "_load",
    "_descriptors",
)
COUNTS = (
    "_max",
    "_free",
    "_only",
    "_unreadable",
    "_folders",
    "_folded",
    "_kills",
    "_state",
    "_restarts",
    "_queue",
    "_workers",
    "_connections",
    "_by_quota",
    "_items",
    "_available",
    "_without_data",
    "_required",
    "_kind",
    "_used",
    "_waiting",
)
NAMES = (
    "processes",
    "process_details",
    "machine",
    "filesystems",
    "services",
    "disk",
    "databases",
    "pressure",
    "oom_kills",
    "php",
    "web",
    "mail",
    "yunohost",
    "certificates",
    "upkeep",
)
EXITS = ("_exits", "_exits_active", "_exits_lost", "_exits_storms")
EVENTS = ("_requests", "_messages", "_recipients", "_deliveries", "_gaps", "_odd", "_open", "_forgotten")

ODD = colocation(
    App("gone", "g", "Gone", state=AppState.STRAY, user="nobody-here", install_dir="/gone", services=("gone",)),
    App("bare", "b", "Bare", state=AppState.BROKEN),
    App("db", "d", "Db", databases=(Database(DatabaseKind.SQLITE, "/gone.db"), Database(DatabaseKind.MYSQL, "x"))),
    shares={"gone": {"velo": 1.0}},
)
BLIND: dict[str, Callable[[Path], Collector]] = {
    "processes": lambda empty: ProcessesCollector(
        lambda _: {}, files=ProcFiles(empty), machine=MachineFiles(empty), owner=lambda _: 0
    ),
    "process_details": lambda empty: ProcessDetailsCollector(
        lambda: [Known(7, 1, 1, "gone", 1)], files=ProcFiles(empty), machine=MachineFiles(empty)
    ),
    "machine": lambda empty: MachineCollector(files=MachineFiles(empty)),
    "filesystems": lambda empty: FilesystemsCollector(empty),
    "services": lambda _: ServicesCollector(show=lambda units: {unit: Unit(unit) for unit in units}),
    "disk": lambda empty: DiskCollector(empty),
    "databases": lambda empty: DatabasesCollector(empty),
    "pressure": lambda empty: PressureCollector(lambda _: {}, root=empty),
    "oom_kills": lambda empty: OomKillsCollector(lambda _: {}, root=empty),
    "php": lambda empty: PhpCollector(lambda _: {}, cgroups=empty, files=ProcFiles(empty), sockets=lambda: ()),
    "web": lambda empty: WebCollector(empty),
    "mail": lambda empty: MailCollector(empty),
    "yunohost": lambda empty: YunohostCollector(empty),
    "certificates": lambda empty: CertificatesCollector(empty),
    "upkeep": lambda empty: UpkeepCollector(empty),
}


def collector_named(house: MeasuredHouse, name: str) -> Collector:
    return next(collector for collector in house.collectors if collector.name == name)


def test_every_collector_is_held_to_this(tmp_path: Path) -> None:
    assert tuple(collector.name for collector in MeasuredHouse(tmp_path).collectors) == NAMES == tuple(BLIND)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_twice_and_says_the_same_of_the_same(name: str, tmp_path: Path) -> None:
    collector = collector_named(MeasuredHouse(tmp_path), name)
    first = figures(collector.collect(APPS, NOW))
    assert first
    assert figures(collector.collect(APPS, NOW)) == first


@pytest.mark.parametrize("name", NAMES)
def test_it_survives_missing_data_and_claims_nothing_of_it(name: str, tmp_path: Path) -> None:
    collector = BLIND[name](tmp_path)
    for apps in (colocation(), ODD, colocation()):
        for family in figures(collector.collect(apps, NOW)):
            assert 'app="' not in family or 'app="_system"' in family


@pytest.mark.parametrize("name", NAMES)
def test_its_names_units_and_labels_are_the_house_s(name: str, tmp_path: Path) -> None:
    for family in collector_named(MeasuredHouse(tmp_path), name).collect(APPS, NOW):
        assert re.fullmatch(r"coloc_[a-z0-9_]+", family.name)
        assert family.name.endswith((*UNITS, *COUNTS, *EVENTS, *EXITS)), family.name
        assert family.documentation.endswith("."), family.name
        assert len(family.documentation) < 100
        assert_samples(family)


def assert_samples(family: Metric) -> None:
    for sample in family.samples:
        assert set(sample.labels) <= LABELS
        assert sample.timestamp is None
        assert family.type in {"gauge", "counter", "histogram"}
        if "app" in sample.labels:
            assert "project" in sample.labels


def test_no_two_collectors_share_a_family(tmp_path: Path) -> None:
    names = [family.name for each in MeasuredHouse(tmp_path).collectors for family in each.collect(APPS, NOW)]
    assert len(names) == len(set(names))


def test_an_app_costs_at_most_sixty_series(tmp_path: Path) -> None:
    house = MeasuredHouse(tmp_path)
    text = b"".join(encode(each.name, list(each.collect(APPS, NOW))).text for each in house.collectors).decode()
    assert sum('app="nuage"' in line for line in text.splitlines()) <= 60
