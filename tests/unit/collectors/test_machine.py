"""The machine's figures, whole and with files missing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from collectors.filesystems import FilesystemsCollector
from collectors.machine import MachineCollector, MachineFiles
from coloc.model import App
from tests.fakes.colocations import colocation, figures
from tests.fakes.proc import FakeProc

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_machine_is_measured(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path / "proc")
    proc.machine(250, 50)
    collector = MachineCollector(files=MachineFiles(proc.root), ticks_per_second=100)
    seen = figures(collector.collect(colocation(), NOW))
    assert seen['coloc_machine_cpu_seconds_total{mode="user"}'] == 2.5
    assert seen['coloc_machine_pressure_waiting_seconds_total{resource="io"}'] == 2.5
    assert seen["coloc_machine_memory_available_bytes"] == 600 * 1024
    assert seen["coloc_machine_cpus"] == 2
    assert 'coloc_machine_pressure_stalled_seconds_total{resource="cpu"}' not in seen


def test_files_that_are_missing_are_absent_series(tmp_path: Path) -> None:
    assert figures(MachineCollector(files=MachineFiles(tmp_path)).collect(colocation(), NOW)) == {}


def test_filesystems_that_hold_apps_are_measured_once(tmp_path: Path) -> None:
    for folder in ("var/www/blog", "var/www/wiki"):
        (tmp_path / folder).mkdir(parents=True)
    apps = colocation(
        App("blog", "b", "B", install_dir="/var/www/blog"),
        App("wiki", "w", "W", install_dir="/var/www/wiki", data_dir="/not/there"),
    )
    seen = figures(FilesystemsCollector(tmp_path).collect(apps, NOW))
    assert 0 < seen['coloc_filesystem_used_ratio{mount="/"}'] < 1
    assert seen['coloc_filesystem_read_only{mount="/"}'] == 0
    assert {name.partition("{")[2] for name in seen} == {'mount="/"}'}


def test_another_filesystem_is_named_by_its_mount_point() -> None:
    seen = figures(FilesystemsCollector().collect(colocation(App("x", "x", "X", install_dir="/proc/sys")), NOW))
    assert seen['coloc_filesystem_size_bytes{mount="/proc"}'] == 0
    assert 'coloc_filesystem_files_max{mount="/proc"}' not in seen
