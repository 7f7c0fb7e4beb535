"""Work that no look sees (cron, php-cli), told by the real kernel, compared with what getrusage says was spent."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.exit_client import ExitClient
from collectors.processes import ProcessesCollector
from coloc.model import App
from tests.fakes.colocations import colocation, figures
from tests.fakes.exit_service import program
from tests.fakes.waiting import until
from tests.integration.collectors.test_truth import UIDS, Spender

APPS = colocation(*(App(name, name, name, user=name) for name in UIDS))
AT_LEAST, AT_MOST, ROUNDING = 0.95, 1.02, 0.04  # /proc cuts the times of what it shows to hundredths of a second


class Looks:
    """Looks through /proc as the daemon does, beside the service of its own."""

    def __init__(self, socket: Path) -> None:
        self._collector = ProcessesCollector(
            lambda names: {name: UIDS[name] for name in names}, exits=ExitClient(socket, seconds=60.0)
        )
        self.seen: dict[str, float] = {}

    def look(self) -> dict[str, float]:
        before, self.seen = self.seen, figures(self._collector.collect(APPS, datetime.now(UTC)))
        for name, value in before.items():
            assert not name.endswith("_total") or self.seen[name] >= value, name
        return self.seen

    def while_working(self, *spenders: Spender, every: float) -> list[float]:
        """Look until all have worked; returns what their children spent, as getrusage has it."""
        spent: list[float] = []
        for spender in spenders:
            spender.spend()
        wait = threading.Thread(target=lambda: spent.extend([spender.children_spent() for spender in spenders]))
        wait.start()
        while wait.is_alive():
            wait.join(every)
            self.look()
        self.look()
        return spent

    def cpu(self, app: str) -> float:
        name = f'coloc_app_cpu_seconds_total{{app="{app}",mode="%s",project="_none"}}'
        return self.seen[name % "user"] + self.seen[name % "system"]

    def close(self) -> None:
        self._collector.close()


@contextmanager
def looking(folder: Path) -> Iterator[Looks]:
    """The program, its socket, and a daemon's eye that has looked twice."""
    assert os.geteuid() == 0, "the kernel tells of exits to root: run these tests as root"
    with program(folder / "s") as service:
        assert service.stderr
        said = service.stderr.readline()
        assert "hears from the kernel" in said, said
        looks = Looks(folder / "s")
        try:
            until(lambda: looks.look().get("coloc_exits_active"), seconds=60.0, what="the service")
            yield looks
        finally:
            looks.close()


@pytest.mark.parametrize("every", [0.1, 30.0])
def test_jobs_that_cron_starts_for_two_users_are_theirs(tmp_path: Path, every: float) -> None:
    with looking(tmp_path) as looks:
        cron = [Spender(12, 0.06, as_user=0, children_as=uid) for uid in UIDS.values()]
        looks.look()
        spent = looks.while_working(*cron, every=every)
        for spender in cron:
            spender.end()
    for app, truth in zip(UIDS, spent, strict=True):
        assert AT_LEAST * truth <= looks.cpu(app) <= AT_MOST * truth + ROUNDING
    assert looks.seen["coloc_exits_total"] >= 24


def test_a_command_line_that_starts_commands_is_counted_once(tmp_path: Path) -> None:
    with looking(tmp_path) as looks:
        shell = Spender(12, 0.06, as_user=UIDS["blog"])
        looks.look()
        (truth,) = looks.while_working(shell, every=0.15)
        shell.end()
    assert AT_LEAST * truth <= looks.cpu("blog") <= AT_MOST * truth + ROUNDING


def test_workers_that_looks_saw_for_a_while_are_counted_once(tmp_path: Path) -> None:
    with looking(tmp_path) as looks:
        master = Spender(4, 0.3, as_user=0, children_as=UIDS["wiki"])
        looks.look()
        (truth,) = looks.while_working(master, every=0.2)
        master.end()
    assert AT_LEAST * truth <= looks.cpu("wiki") <= AT_MOST * truth + ROUNDING


def test_short_shells_of_another_user_are_theirs_with_what_their_ends_cost(tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
    with looking(tmp_path) as looks:
        looks.look()
        before = children_seconds()
        for _ in range(30):
            subprocess.run(["sh", "-c", script], user=UIDS["blog"], group=UIDS["blog"], cwd="/", check=True, timeout=60)
        truth = children_seconds() - before
        looks.look()
    assert AT_LEAST * truth <= looks.cpu("blog") <= AT_MOST * truth + ROUNDING


def children_seconds() -> float:
    kids = resource.getrusage(resource.RUSAGE_CHILDREN)
    return kids.ru_utime + kids.ru_stime
