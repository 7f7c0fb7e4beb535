"""The machine's figures, whole and with files missing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.filesystems import FilesystemsCollector
from collectors.machine import MachineCollector, MachineFiles, has_default_route
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


HEAD = b"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
V4 = b"eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
V6 = b"%s 00 %s 00 fe800000000000000000000000000001 00000400 00000001 00000000 %s eth0\n"
NOTHING = b"0" * 32


@pytest.mark.parametrize(
    ("v4", "v6", "up"),
    [
        (HEAD + V4, b"", True),
        (HEAD, b"", False),
        (HEAD + V4.replace(b"0003", b"0000"), b"", False),
        (HEAD + V4.replace(b"00000000\t0101", b"0000A8C0\t0101", 1), b"", False),  # the way to the neighbours alone
        (HEAD, V6 % (NOTHING, NOTHING, b"00000003"), True),
        (HEAD, (V6 % (NOTHING, NOTHING, b"00200201")).replace(b"eth0", b"lo"), False),
        (HEAD, V6 % (NOTHING, NOTHING, b"00000203"), False),  # it rejects
        (b"\xff\x00", b"odd", False),
    ],
)
def test_there_is_a_way_out_or_not(v4: bytes, v6: bytes, up: bool) -> None:
    assert has_default_route(v4, v6) is up
