"""Processes that come and go between two looks: whose they are, and that nothing is counted twice."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cpu_ledger import CpuLedger, Ended, Look, Used
from collectors.exit_client import Exits, ProcessExit
from collectors.machine import MachineFiles
from collectors.processes import ProcessesCollector
from collectors.procfs import ProcFiles
from coloc.model import App
from tests.fakes.colocations import colocation, figures
from tests.fakes.proc import FakeProc

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UIDS = {"blog": 901, "nuage": 902}
CRON = "/system.slice/cron.service"
QUIET = Exits("g", cursor=0, active=True, storms=0, lost=0, gaps=1, missed=0, complete=True)


class Watch:
    """A collector on a fake /proc, beside a service that tells what a test writes. A tick is 0.01 s."""

    def __init__(self, folder: Path) -> None:
        self.proc = FakeProc(folder / "proc")
        self.apps = colocation(
            App("blog", "b", "Blog", user="blog"), App("nuage", "n", "Nuage", user="nuage", services=("nuage",))
        )
        self.exits: Exits | None = QUIET
        self.told: list[ProcessExit] = []
        self.since_boot = 1000.0
        self.collector = ProcessesCollector(
            lambda names: {name: UIDS[name] for name in names},
            files=ProcFiles(self.proc.root),
            machine=MachineFiles(self.proc.root),
            ticks_per_second=100,
            owner=self.proc.owner,
            clock=lambda: self.since_boot,
            exits=self.ask,
            since_boot=lambda: self.since_boot,
        )

    def ask(self) -> Exits | None:
        told, self.told = tuple(self.told), []
        return replace(self.exits, exits=told) if self.exits else None

    def ends(
        self, pid: int, *, uid: int = 0, parent: int = 1, user: int = 0, system: int = 0, age: float = 1.0
    ) -> None:
        """The kernel tells that a process ended, `age` seconds old, a second before the next look; times in ticks."""
        began = self.since_boot + 4 - age
        self.told.append(ProcessExit(pid, parent, uid, began, user * 10_000, system * 10_000))

    def look(self) -> dict[str, float]:
        self.since_boot += 5
        return figures(self.collector.collect(self.apps, NOW))

    def cpu(self, app: str = "blog") -> float:
        seen, project = self.look(), "_system" if app == "_system" else "_none"
        name = f'coloc_app_cpu_seconds_total{{app="{app}",mode="%s",project="{project}"}}'
        return round(seen[name % "user"] + seen[name % "system"], 6)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def test_a_cron_job_that_no_look_saw_is_its_user_s(watch: Watch) -> None:
    watch.proc.process(40, cgroup=CRON)
    watch.look()
    watch.proc.process(40, cgroup=CRON, kids=(30, 10))
    watch.proc.machine(30, 10)
    watch.ends(41, uid=901, parent=40, user=30, system=10)
    seen = watch.look()
    assert seen['coloc_app_cpu_seconds_total{app="blog",mode="user",project="_none"}'] == 0.3
    assert seen['coloc_app_cpu_seconds_total{app="blog",mode="system",project="_none"}'] == 0.1
    assert seen['coloc_app_short_lived_cpu_seconds_total{app="blog",project="_none"}'] == 0.4
    assert seen['coloc_app_cpu_seconds_total{app="_system",mode="user",project="_system"}'] == 0.0


def test_a_child_is_of_the_unit_of_its_parent_whatever_its_user(watch: Watch) -> None:
    watch.proc.process(60, uid=902, cgroup="/system.slice/nuage.service")
    watch.look()
    watch.proc.machine(70, 0)
    watch.ends(62, uid=33, parent=61, user=20)  # a grandchild that nobody saw, told before its parent
    watch.ends(61, uid=901, parent=60, user=50)
    assert watch.cpu("nuage") == 0.7


def test_a_child_of_a_parent_that_died_too_is_of_its_unit(watch: Watch) -> None:
    watch.proc.process(60, uid=902, cgroup="/system.slice/nuage.service")
    watch.look()
    watch.proc.end(60)
    watch.proc.machine(50, 0)
    watch.ends(61, uid=33, parent=60, user=50)
    watch.ends(60, uid=902, age=50)
    assert watch.cpu("nuage") == 0.5


def test_a_worker_that_was_seen_is_charged_only_its_end(watch: Watch) -> None:
    watch.look()
    watch.proc.process(51, uid=901, used=(40, 10))
    watch.proc.machine(40, 10)
    assert watch.cpu() == 0.5
    watch.proc.end(51)
    watch.proc.machine(12, 3)
    watch.ends(51, uid=901, user=52, system=13, age=9)
    assert watch.cpu() == 0.65
    assert watch.cpu() == 0.65
    assert watch.look()['coloc_app_short_lived_cpu_seconds_total{app="blog",project="_none"}'] == 0.0


def test_what_a_worker_used_before_the_agent_began_stays_uncounted(watch: Watch) -> None:
    watch.proc.process(51, uid=901, used=(4000, 0))
    watch.look()
    watch.proc.end(51)
    watch.proc.machine(5, 0)
    watch.ends(51, uid=901, user=4005, age=500)
    assert watch.cpu() == 0.05


def test_an_app_s_children_are_not_counted_again_when_their_parent_reaps_them(watch: Watch) -> None:
    watch.proc.process(50, uid=901)
    watch.look()
    watch.proc.process(50, uid=901, kids=(30, 0))
    watch.proc.machine(30, 0)
    watch.ends(55, uid=901, parent=50, user=30)
    assert watch.cpu() == 0.3


def test_a_child_that_is_reaped_only_after_the_look_is_counted_once(watch: Watch) -> None:
    watch.proc.process(50, uid=901)
    watch.look()
    watch.proc.process(55, uid=901, parent=50, used=(30, 0))  # ended, not reaped
    watch.proc.machine(30, 0)
    watch.ends(55, uid=901, parent=50, user=30)
    assert watch.cpu() == 0.3
    watch.proc.end(55)
    watch.proc.process(50, uid=901, kids=(30, 0))
    assert watch.cpu() == 0.3


def test_a_child_that_no_look_saw_and_is_reaped_only_later_is_counted_once(watch: Watch) -> None:
    watch.proc.process(50, uid=901)
    watch.look()
    watch.proc.machine(30, 0)
    watch.ends(55, uid=901, parent=50, user=30)
    assert watch.cpu() == 0.3
    watch.proc.process(50, uid=901, kids=(30, 0))
    watch.proc.machine(30, 0)
    assert watch.cpu() == 0.3


def test_an_end_just_after_the_look_is_charged_when_the_process_is_gone(watch: Watch) -> None:
    watch.look()
    watch.proc.process(51, uid=901, used=(40, 0))
    watch.proc.machine(50, 0)
    watch.ends(51, uid=901, user=47)
    assert watch.cpu() == 0.4
    watch.proc.end(51)
    assert watch.cpu() == 0.47


def test_a_pid_that_is_given_again_does_not_take_its_predecessor_s_time(watch: Watch) -> None:
    watch.look()
    watch.proc.process(51, uid=902, used=(3, 0), start=int((watch.since_boot + 4) * 100))
    watch.proc.machine(33, 0)
    watch.ends(51, uid=901, user=30, age=3)  # it ended before the other began
    assert watch.cpu() == 0.3


def test_a_pid_that_lived_twice_between_two_looks_counts_twice(watch: Watch) -> None:
    watch.proc.process(51, uid=901, used=(10, 0))
    watch.look()
    watch.proc.end(51)
    watch.proc.machine(35, 0)
    watch.ends(51, uid=901, user=15, age=60)
    watch.ends(51, uid=901, user=30)
    assert watch.cpu() == 0.35


def test_the_past_of_a_process_that_was_hidden_is_not_charged_at_its_end(watch: Watch) -> None:
    watch.look()
    watch.look()
    watch.proc.machine(900, 0)
    watch.ends(77, uid=901, user=800, age=4000)
    assert watch.cpu() == 0.0


def test_what_an_end_cost_is_charged_with_it(watch: Watch) -> None:
    watch.proc.process(40, cgroup=CRON)
    watch.look()
    watch.proc.process(40, cgroup=CRON, kids=(30, 4))
    watch.proc.machine(30, 4)
    watch.ends(41, uid=901, parent=40, user=30)
    assert watch.cpu() == 0.34


def test_the_past_of_one_that_was_hidden_is_not_what_another_s_end_cost(watch: Watch) -> None:
    watch.proc.process(40, cgroup=CRON)
    watch.look()
    watch.look()
    watch.proc.process(40, cgroup=CRON, kids=(811, 0))
    watch.proc.machine(20, 0)
    watch.ends(77, uid=902, parent=40, user=800, age=4000)
    watch.ends(78, uid=901, parent=40, user=10)
    assert 0.1 <= watch.cpu() <= 0.11


def test_more_than_all_processors_can_do_is_not_believed(watch: Watch) -> None:
    watch.look()
    watch.ends(77, uid=901, user=8_000_000, system=2_000_000)
    assert watch.cpu() == pytest.approx(5.0 * (os.cpu_count() or 1))


def test_what_was_told_counts_though_the_machine_s_clock_lost_ticks(watch: Watch) -> None:
    watch.look()
    watch.proc.machine(20, 0)
    watch.ends(77, uid=901, user=90)
    assert watch.cpu() == 0.9
    watch.proc.machine(200, 0)
    assert watch.cpu("_system") == 1.3  # and the rest pays it back


def test_where_some_were_lost_what_the_parent_reaped_stands_in(watch: Watch) -> None:
    watch.proc.process(50, uid=901)
    watch.look()
    watch.exits = replace(QUIET, complete=False, lost=1)
    watch.proc.process(50, uid=901, kids=(50, 0))
    watch.proc.machine(50, 0)
    watch.ends(55, uid=901, parent=50, user=30)  # its sister of 20 was lost
    assert watch.cpu() == 0.5


def test_a_service_that_is_not_there_changes_nothing_and_shows_nothing(watch: Watch) -> None:
    watch.exits = None
    watch.proc.process(50, uid=901)
    watch.look()
    watch.proc.process(50, uid=901, kids=(30, 0))
    watch.proc.machine(30, 0)
    assert watch.cpu() == 0.3
    assert not [name for name in watch.look() if "exit" in name or "short_lived" in name]


def test_losses_storms_and_rest_are_shown(watch: Watch) -> None:
    watch.exits = replace(QUIET, cursor=12, active=False, storms=2, lost=3, missed=4)
    seen = watch.look()
    assert seen["coloc_exits_active"] == 0
    assert seen["coloc_exits_total"] == 12
    assert seen["coloc_exits_lost_total"] == 7
    assert seen["coloc_exits_storms_total"] == 2
    assert any("short-lived work" in sentence for sentence in watch.collector.limits())
    watch.exits = QUIET
    watch.look()
    assert not any("short-lived work" in sentence for sentence in watch.collector.limits())


def test_an_app_that_is_gone_takes_its_short_lived_work_along(watch: Watch) -> None:
    watch.look()
    watch.proc.machine(10, 0)
    watch.ends(77, uid=901, user=10)
    watch.look()
    watch.apps = colocation(App("nuage", "n", "Nuage", user="nuage"))
    assert not [name for name in watch.look() if "blog" in name]


def test_after_a_pause_the_past_is_not_charged(watch: Watch) -> None:
    watch.look()
    watch.collector.close()
    watch.proc.machine(100, 0)
    watch.ends(77, uid=901, user=100)
    assert watch.cpu() == 0.0
    watch.collector.close()


TICKS = st.integers(0, 300)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(TICKS, TICKS, st.booleans(), st.booleans(), st.sampled_from(["blog", "wiki", None])), max_size=25
    )
)
def test_sums_only_grow_and_never_exceed_what_was_used(steps: list[tuple[int, int, bool, bool, str | None]]) -> None:
    """Children of a process of blog's: each used `before` at a look or unseen, `after` until its end, told or lost."""
    ledger, kids, machine = CpuLedger(), 0, 0
    ledger.add(Look([], [], [], (0, 0), 500.0))
    earlier: dict[str, float] = {}
    for number, (before, after, seen, told, app) in enumerate(steps):
        parent = Used(5, 1, (0, 0), (kids, 0), "blog")
        child = Used(100 + number, 5, (before, 0), (0, 0), app)
        if seen:
            machine += before
            ledger.add(Look([], [child], [], (machine, 0), 500.0, all_told=told))
        kids += before + after
        machine += after if seen else before + after
        ended = Ended(child.pid, 5, (before + after, 0), (before, 0) if seen else (0, 0), app)
        ledger.add(
            Look(
                [(parent, Used(5, 1, (0, 0), (kids, 0), "blog"))],
                [],
                [child] if seen else [],
                (machine, 0),
                500.0,
                (ended,) if told else (),
                told,
            )
        )
        sums = {name: ticks[0] for name, ticks in ledger.apps.items()}
        assert all(sums[name] >= value for name, value in earlier.items())
        assert sum(sums.values()) <= machine + 1e-6
        earlier = sums
    if steps and all(told for *_, told, _ in steps):
        for name in ("blog", "wiki"):
            spent = sum(before + after for before, after, _, _, app in steps if app == name)
            assert earlier.get(name, 0.0) == pytest.approx(spent)
