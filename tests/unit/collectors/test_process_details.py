"""PSS on a budget, descriptors, bytes and start times, and what is absent when it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.machine import MachineFiles
from collectors.process_details import ProcessDetailsCollector
from collectors.process_table import Known
from collectors.procfs import ProcFiles, parse_io, parse_pss
from coloc.model import App
from tests.fakes.colocations import colocation, figures
from tests.fakes.proc import FakeProc

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPS = colocation(App("blog", "b", "B"), App("wiki", "w", "W"), shares={"blog": {"velo": 0.5, "chorale": 0.5}})
PSS = 'coloc_app_pss_bytes{app="%s",project="%s"}'
BLOG_PSS, WIKI_PSS = PSS % ("blog", "_shared"), PSS % ("wiki", "_none")
READ = 'coloc_app_disk_read_bytes_total{app="blog",project="_shared"}'


class RefusingFiles(ProcFiles):
    """As for a user without CAP_SYS_PTRACE."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.refused: set[int] = set()

    def read(self, pid: int, name: str) -> bytes:
        if pid in self.refused:
            raise PermissionError(13, "Permission denied")
        return super().read(pid, name)


class Watch:
    """A collector on a fake /proc; each measure of PSS costs one unit of the budget."""

    def __init__(self, folder: Path) -> None:
        self.proc = FakeProc(folder / "proc")
        self.files = RefusingFiles(self.proc.root)
        self.known: dict[int, Known] = {1: Known(1, 100, 0, None, 1)}
        self.steps = 0
        self.collector = ProcessDetailsCollector(
            lambda: list(self.known.values()),
            files=self.files,
            machine=MachineFiles(self.proc.root),
            ticks_per_second=100,
            pss_seconds=100.0,
            spent=self.spent,
        )
        self.one_costs = 0.0
        self.used = 0.0

    def spent(self) -> float:
        self.used += self.one_costs
        return self.used

    def process(self, pid: int, app: str | None, *, moved: int = 0, pss_kib: int = 10, changes: int = 1) -> None:
        self.proc.process(pid, moved=(moved, 0), pss_kib=pss_kib, descriptors=4)
        self.known[pid] = Known(pid, 100 + pid, 1, app, changes)

    def look(self) -> dict[str, float]:
        return figures(self.collector.collect(APPS, NOW))


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    yield Watch(tmp_path)


def test_what_an_app_holds_is_the_sum_of_its_processes(watch: Watch) -> None:
    watch.process(51, "blog", pss_kib=10)
    watch.process(52, "blog", pss_kib=30)
    seen = watch.look()
    assert seen[BLOG_PSS] == 40 * 1024
    assert seen['coloc_project_pss_bytes{project="velo"}'] == 20 * 1024
    assert seen['coloc_app_descriptors{app="blog",project="_shared"}'] == 8
    start = seen['coloc_app_oldest_process_start_timestamp_seconds{app="blog",project="_shared"}']
    assert start == 1795406580 + 1.51


def test_bytes_are_counted_from_the_first_look_and_stay_when_the_process_dies(watch: Watch) -> None:
    watch.process(51, "blog", moved=1000)
    assert watch.look()[READ] == 0
    watch.process(51, "blog", moved=1500, changes=2)
    assert watch.look()[READ] == 500
    watch.proc.end(51)
    assert watch.look()[READ] == 500
    del watch.known[51]
    seen = watch.look()
    assert seen[READ] == 500
    assert seen['coloc_project_disk_read_bytes_total{project="velo"}'] == 250


def test_a_process_that_slept_is_not_read_again(watch: Watch) -> None:
    watch.process(51, "blog", pss_kib=10)
    watch.look()
    watch.process(51, "blog", pss_kib=99, changes=1)
    assert watch.look()[BLOG_PSS] == 10 * 1024
    watch.process(51, "blog", pss_kib=99, changes=2)
    assert watch.look()[BLOG_PSS] == 99 * 1024


def test_beyond_the_budget_the_others_follow_and_a_part_of_a_sum_is_not_shown(watch: Watch) -> None:
    watch.one_costs = 60.0  # two fit
    for pid in (51, 52):
        watch.process(pid, "blog")
    watch.process(53, "wiki")
    assert BLOG_PSS not in watch.look()
    seen = [watch.look() for _ in range(3)][-1]
    assert seen[BLOG_PSS] == 20 * 1024
    assert seen[WIKI_PSS] == 10 * 1024


def test_what_is_refused_is_absent_and_said(watch: Watch) -> None:
    watch.process(51, "blog")
    watch.process(53, "wiki")
    watch.files.refused.add(51)
    seen = watch.look()
    assert not [name for name in seen if '"blog"' in name and "start" not in name]
    assert 'coloc_project_pss_bytes{project="velo"}' not in seen
    assert seen[WIKI_PSS] == 10 * 1024
    assert seen["coloc_processes_details_unreadable"] == 1
    assert any("1 processes of apps" in sentence for sentence in watch.collector.limits())


def test_without_the_first_process_nothing_is_said_of_the_rest(watch: Watch) -> None:
    watch.process(60, None)
    assert 'coloc_app_descriptors{app="_system",project="_system"}' in watch.look()
    del watch.known[1]
    assert not [name for name in watch.look() if '"_system"' in name and "start" not in name]


@given(st.binary(max_size=300))
def test_any_bytes_are_figures_or_nothing(data: bytes) -> None:
    for found in (parse_io(data), parse_io(b"read_bytes: " + data), parse_pss(b"\nPss: " + data), parse_pss(data)):
        assert found is None or isinstance(found, int | tuple)
