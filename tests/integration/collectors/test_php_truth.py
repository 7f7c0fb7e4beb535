"""A real php-fpm with workers on demand: what they used is their app's, and a full pool shows. No pool is asked."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.php import PhpCollector
from collectors.processes import ProcessesCollector
from coloc.model import App
from tests.fakes.colocations import colocation, figures
from tests.fakes.fastcgi import begin, finish
from tests.fakes.php_fpm import Fpm, php_fpm
from tests.fakes.waiting import until

UIDS = {"blog": 61911, "wiki": 61912}
IDLE_SECONDS, EVERY_SECONDS = 2, 1.0  # YunoHost's workers idle for ten seconds, the agent looks every five
BURNT_SECONDS = 1.2
MOST_ROUNDS = 3


@pytest.fixture(autouse=True)
def _root() -> Iterator[None]:
    assert os.geteuid() == 0, "these tests start workers of other users: run them as root"
    yield


class Looks:
    """The agent's looks in the background. `longest`: the longest time without one."""

    def __init__(self) -> None:
        self._apps = colocation(*(App(name, name, name, user=name) for name in UIDS))
        self._collector = ProcessesCollector(lambda names: {name: UIDS[name] for name in names})
        self._stop = threading.Event()
        self.longest, self._looked_at = 0.0, time.monotonic()
        self._sums = self._look()
        self._thread = threading.Thread(target=self._repeat)
        self._thread.start()

    def end(self) -> dict[str, float]:
        """Look for the last time; CPU seconds by app."""
        self._stop.set()
        self._thread.join()
        self._sums = self._look()
        self._collector.close()
        return self._sums

    def _repeat(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self._look()

    def _look(self) -> dict[str, float]:
        seen = figures(self._collector.collect(self._apps, datetime.now(UTC)))
        now = time.monotonic()
        self.longest, self._looked_at = max(self.longest, now - self._looked_at), now
        name = 'coloc_app_cpu_seconds_total{app="%s",mode="%s",project="_none"}'
        return {app: sum(seen[name % (app, mode)] for mode in ("user", "system")) for app in UIDS}


def burn(fpm: Fpm) -> dict[str, float]:
    """Two workers for the one, one worker for the other; what each pool says it used."""
    with ExitStack() as stack:
        requests = [
            (pool, stack.enter_context(begin(fpm.socket(pool), fpm.burn, f"seconds={BURNT_SECONDS}")))
            for pool in ("blog", "blog", "wiki")
        ]
        said = dict.fromkeys(UIDS, 0.0)
        for pool, request in requests:
            said[pool] += float(finish(request))
    until(lambda: fpm.workers() == 0, seconds=120, what="the end of the workers")
    return said


def test_workers_on_demand_are_charged_to_their_apps(tmp_path: Path) -> None:
    with php_fpm(UIDS, most=2, idle_seconds=IDLE_SECONDS) as fpm:
        for _ in range(MOST_ROUNDS):
            before, looks = fpm.reaped_seconds(), Looks()
            try:
                said = [burn(fpm), burn(fpm)]
            finally:
                seen = looks.end()
            truth = fpm.reaped_seconds() - before
            # A machine so busy that the agent does not get its turn shows nothing about the agent.
            if looks.longest < IDLE_SECONDS:
                break
    assert truth > 6 * BURNT_SECONDS * 0.97
    assert 0.97 <= sum(seen.values()) / truth <= 1.03
    for app in UIDS:
        assert seen[app] >= 0.97 * sum(round_[app] for round_ in said)


def test_a_full_pool_shows_its_queue_without_being_asked(tmp_path: Path) -> None:
    with php_fpm({"blog": UIDS["blog"]}, most=1, idle_seconds=IDLE_SECONDS) as fpm, ExitStack() as stack:
        apps = colocation(App("blog", "b", "B", user="blog", php_pools=(fpm.pools["blog"],)))
        collector = PhpCollector(lambda names: {name: UIDS[name] for name in names}, cgroups=tmp_path)

        def look() -> list[float]:
            seen = figures(collector.collect(apps, datetime.now(UTC)))
            names = ("queue", "queue_max", "workers", "workers_max")
            return [seen[f'coloc_app_php_{name}{{app="blog",pool="blog",project="_none"}}'] for name in names]

        assert look() == [0, 64, 0, 1]
        requests = [stack.enter_context(begin(fpm.socket("blog"), fpm.wait)) for _ in range(4)]
        until(lambda: look() == [3, 64, 1, 1], seconds=120, what="a queue of three")
        fpm.go.touch()
        assert [finish(request) for request in requests] == ["done"] * 4
        until(lambda: look()[0] == 0, seconds=120, what="an empty queue")
