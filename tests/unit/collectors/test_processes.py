"""Following processes: who they belong to, what happens when they die, and what stays unseen."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.machine import MachineFiles
from collectors.processes import ProcessesCollector
from collectors.procfs import ProcFiles
from coloc.model import App, Colocation, PhpPool
from tests.fakes.colocations import colocation, figures
from tests.fakes.proc import FakeProc

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UIDS = {"blog": 901, "nuage": 902, "wiki": 903, "root": 0}
PAGE = os.sysconf("SC_PAGE_SIZE")
FPM = "/system.slice/php8.2-fpm.service"

BLOG = App(
    "blog", "wordpress", "Blog", user="blog", php_pools=(PhpPool("/etc/php/8.2/fpm/pool.d/blog.conf", "blog", "blog"),)
)
NUAGE = App("nuage", "nextcloud", "Nuage", user="nuage", services=("nuage",))
WIKI = App("wiki", "wiki", "Wiki")
SHARES = {"blog": {"chorale": 1.0}, "nuage": {"chorale": 0.25, "velo": 0.75}}


class Watch:
    """A collector on a fake /proc, with the figures of its last look."""

    def __init__(
        self, tmp_path: Path, apps: Colocation | None = None, *, owner: Callable[[int], int] | None = None
    ) -> None:
        self.proc = FakeProc(tmp_path / "proc")
        self.apps = apps or colocation(BLOG, NUAGE, WIKI, shares=SHARES)
        self.time = 0.0
        self.collector = ProcessesCollector(
            lambda names: {name: UIDS[name] for name in names},
            files=ProcFiles(self.proc.root),
            machine=MachineFiles(self.proc.root),
            ticks_per_second=100,
            owner=owner or self.proc.owner,
            clock=lambda: self.time,
        )

    def look(self) -> dict[str, float]:
        self.time += 5
        return figures(self.collector.collect(self.apps, NOW))

    def cpu(self, app: str = "blog", project: str = "chorale", mode: str = "user") -> float:
        return self.look()[f'coloc_app_cpu_seconds_total{{app="{app}",mode="{mode}",project="{project}"}}']


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def test_a_php_worker_is_charged_to_the_app_of_its_user(watch: Watch) -> None:
    watch.proc.process(50, uid=0, cgroup=FPM)
    watch.proc.process(51, uid=901, parent=50, cgroup=FPM, used=(500, 0))
    watch.look()
    watch.proc.process(51, uid=901, parent=50, cgroup=FPM, used=(620, 30))
    watch.proc.machine(200, 40)
    seen = watch.look()
    assert seen['coloc_app_cpu_seconds_total{app="blog",mode="user",project="chorale"}'] == 1.2
    assert seen['coloc_app_cpu_seconds_total{app="blog",mode="system",project="chorale"}'] == 0.3
    assert seen['coloc_app_cpu_seconds_total{app="_system",mode="user",project="_system"}'] == 0.8


def test_a_unit_of_one_app_goes_before_the_user(watch: Watch) -> None:
    watch.proc.process(60, uid=33, cgroup="/system.slice/nuage.service")
    watch.proc.process(61, uid=901, cgroup="/coloc.slice/coloc-velo.slice/nuage.service/deeper")
    seen = watch.look()
    assert seen['coloc_app_processes{app="nuage",project="_shared"}'] == 2
    assert seen['coloc_app_processes{app="blog",project="chorale"}'] == 0


def test_a_shared_app_is_split_among_its_projects(watch: Watch) -> None:
    watch.proc.process(60, uid=902, pages=100)
    watch.look()
    watch.proc.process(60, uid=902, pages=100, used=(400, 0))
    watch.proc.machine(400, 0)
    seen = watch.look()
    assert seen['coloc_project_cpu_seconds_total{mode="user",project="chorale"}'] == 1.0
    assert seen['coloc_project_cpu_seconds_total{mode="user",project="velo"}'] == 3.0
    assert seen['coloc_project_memory_bytes{project="velo"}'] == 75 * PAGE


def test_shares_that_change_leave_the_past_where_it_was(watch: Watch) -> None:
    watch.proc.process(60, uid=902)
    watch.look()
    watch.proc.process(60, uid=902, used=(400, 0))
    watch.proc.machine(400, 0)
    watch.look()
    watch.apps = colocation(BLOG, NUAGE, WIKI, shares={**SHARES, "nuage": {"chorale": 1.0}})
    watch.proc.process(60, uid=902, used=(500, 0))
    watch.proc.machine(100, 0)
    assert watch.look()['coloc_project_cpu_seconds_total{mode="user",project="chorale"}'] == 2.0


def test_a_counter_stays_when_the_worker_dies(watch: Watch) -> None:
    watch.look()
    watch.proc.process(51, uid=901, used=(70, 0))
    watch.proc.machine(70, 0)
    assert watch.cpu() == 0.7
    watch.proc.end(51)
    assert watch.cpu() == 0.7


def test_a_pid_that_is_given_again_is_another_process(watch: Watch) -> None:
    watch.proc.process(51, uid=901, used=(500, 0), start=100)
    watch.look()
    watch.proc.process(51, uid=901, used=(20, 0), start=999)
    watch.proc.machine(20, 0)
    assert watch.cpu() == 0.2


def test_a_worker_that_takes_its_user_after_its_birth_is_noticed(watch: Watch) -> None:
    watch.proc.process(51, uid=0)
    watch.look()
    watch.proc.process(51, uid=901, used=(30, 0))
    watch.proc.machine(30, 0)
    assert watch.cpu() == 0.3


def test_a_process_that_is_met_while_it_ends_is_of_the_unit_that_it_has_left(watch: Watch) -> None:
    unit = "/system.slice/nuage.service"
    watch.proc.process(60, uid=0, cgroup=unit)
    watch.proc.process(61, uid=901, parent=60, cgroup=unit)
    watch.look()
    watch.proc.process(61, uid=901, parent=60, cgroup="/", used=(30, 0))
    watch.proc.process(62, uid=901, parent=60, cgroup="/", used=(20, 0))
    watch.proc.machine(50, 0)
    for _ in range(12):  # looks: the owner of one that is known is read again now and then
        seen = watch.look()
    assert seen['coloc_app_cpu_seconds_total{app="nuage",mode="user",project="_shared"}'] == 0.5
    assert seen['coloc_app_processes{app="nuage",project="_shared"}'] == 3


def test_an_app_that_arrives_takes_its_processes_over(watch: Watch) -> None:
    watch.proc.process(70, uid=903)
    assert 'coloc_app_processes{app="wiki",project="_none"}' not in watch.look()
    watch.apps = colocation(BLOG, NUAGE, App("wiki", "wiki", "Wiki", user="wiki"), shares=SHARES)
    assert watch.look()['coloc_app_processes{app="wiki",project="_none"}'] == 1


def test_an_app_that_goes_takes_its_series_along_and_gives_nothing_to_the_rest(watch: Watch) -> None:
    watch.proc.process(51, uid=901)
    watch.look()
    watch.proc.process(51, uid=901, used=(90, 0))
    watch.proc.machine(100, 0)
    watch.look()
    watch.apps = colocation(NUAGE, shares={"nuage": SHARES["nuage"]})
    seen = watch.look()
    assert not [name for name in seen if "blog" in name]
    assert seen['coloc_app_cpu_seconds_total{app="_system",mode="user",project="_system"}'] == 0.1


def test_root_is_no_app_s_user(watch: Watch) -> None:
    watch.apps = colocation(App("odd", "odd", "Odd", user="root", services=("odd",)))
    assert watch.look()['coloc_app_processes{app="odd",project="_none"}'] == 0


def test_a_user_of_two_apps_tells_nothing(watch: Watch) -> None:
    watch.apps = colocation(App("a", "a", "A", user="blog"), App("b", "b", "B", user="blog"))
    watch.proc.process(51, uid=901)
    assert watch.look()['coloc_app_processes{app="_system",project="_system"}'] == 2
    assert any("a, b" in sentence for sentence in watch.collector.limits())


def test_memory_is_anonymous_and_what_was_swapped_out(watch: Watch) -> None:
    watch.proc.swapping()
    watch.proc.process(51, uid=901, pages=7, swap_kib=3)
    watch.look()
    seen = watch.look()
    for _ in range(12):
        seen = watch.look()
    assert seen['coloc_app_memory_bytes{app="blog",project="chorale"}'] == 7 * PAGE + 3 * 1024


def test_threads_of_the_kernel_are_not_followed(watch: Watch) -> None:
    watch.proc.process(2, parent=0, name="kthreadd")
    watch.proc.process(13, parent=2, name="rcu_sched")
    assert watch.look()['coloc_app_processes{app="_system",project="_system"}'] == 1


def test_parents_are_read_before_their_children_whatever_their_pids(tmp_path: Path) -> None:
    order: list[int] = []
    watch = Watch(tmp_path, owner=lambda pid: order.append(pid) or 901)  # type: ignore[func-returns-value]
    watch.proc.process(900, uid=901)
    watch.proc.process(60, uid=901, parent=900)
    watch.look()
    order.clear()
    watch.look()
    assert order.index(900) < order.index(60)


def test_what_is_hidden_is_said(watch: Watch) -> None:
    assert watch.look() and not any("hidden" in sentence for sentence in watch.collector.limits())
    watch.proc.end(1)
    watch.look()
    assert any("hidden" in sentence for sentence in watch.collector.limits())


def test_a_process_that_vanishes_while_it_is_met_harms_nothing(watch: Watch) -> None:
    watch.proc.process(51, uid=901)
    (watch.proc.root / "51" / "statm").unlink()
    assert watch.look()['coloc_app_processes{app="blog",project="chorale"}'] == 0


def test_descriptors_are_given_back(watch: Watch) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for pid in range(50, 90):
        watch.proc.process(pid, uid=901)
    watch.look()
    for pid in range(50, 90):
        watch.proc.end(pid)
    watch.look()
    watch.collector.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def asleep(watch: Watch) -> None:
    for _ in range(5):
        watch.look()


def test_who_wakes_after_a_long_sleep_is_charged_all_of_it_within_three_looks(watch: Watch) -> None:
    watch.proc.process(51, uid=901, used=(500, 0))
    asleep(watch)
    watch.proc.process(51, uid=901, used=(560, 0))
    watch.proc.machine(80, 0)
    watch.look()
    watch.look()
    seen = watch.look()
    assert seen['coloc_app_cpu_seconds_total{app="blog",mode="user",project="chorale"}'] == 0.6
    system = seen['coloc_app_cpu_seconds_total{app="_system",mode="user",project="_system"}']
    watch.proc.machine(60, 0)  # what the rest was given too early is held back from it
    later = watch.look()['coloc_app_cpu_seconds_total{app="_system",mode="user",project="_system"}']
    assert (system, later) in {(0.2, 0.8), (0.8, 0.8)}


def test_a_sleeping_parent_that_loses_its_child_charges_nothing_twice(watch: Watch) -> None:
    watch.proc.process(50, uid=901)
    watch.proc.process(51, uid=901, parent=50, used=(400, 0))
    asleep(watch)
    watch.proc.end(51)
    watch.proc.process(50, uid=901, kids=(430, 0))
    watch.proc.machine(100, 0)
    for _ in range(4):
        seen = watch.look()
    assert seen['coloc_app_cpu_seconds_total{app="blog",mode="user",project="chorale"}'] == 0.3


def test_a_sleeper_that_ends_is_missed_at_once(watch: Watch) -> None:
    for pid in (51, 52, 53):
        watch.proc.process(pid, uid=901)
    asleep(watch)
    for pid in (51, 52, 53):
        watch.proc.end(pid)
    assert watch.look()['coloc_app_processes{app="blog",project="chorale"}'] == 0
