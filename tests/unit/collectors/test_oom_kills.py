"""Kills per app: from the kernel's log where there is one, else from the units' counters; never from both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from collectors.kernel_log import KernelLog
from collectors.oom_kills import OomKillsCollector
from coloc.model import App
from tests.fakes.cgroups import FakeCgroups
from tests.fakes.colocations import colocation, figures
from tests.unit.collectors.test_kernel_log import append, chosen, killed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UIDS = {"blog": 901, "nuage": 902}
APPS = colocation(
    App("blog", "b", "B", user="blog"), App("nuage", "n", "N", user="nuage", services=("nuage",)), shares={}
)
UNIT = "nuage.service"


class Server:
    """A server below `root`; a look returns the kills by app."""

    def __init__(self, root: Path, *, log: bool = True) -> None:
        self.log, self.groups = root / "var/log/kern.log", FakeCgroups(root / "sys/fs/cgroup")
        self.log.parent.mkdir(parents=True)
        if log:
            self.log.touch()
        self.groups.unit(UNIT, kills=3)
        self.collector = OomKillsCollector(_ids, root=root)
        self.look()

    def look(self) -> dict[str, float]:
        found = figures(self.collector.collect(APPS, NOW))
        return {name.split('"')[1]: value for name, value in found.items()}

    def end(self) -> None:
        self.collector.close()


class RefusedLog(KernelLog):
    """A log that others wrote."""

    def lines(self) -> list[bytes]:
        raise PermissionError("no right to")


def _ids(names: Iterable[str]) -> Mapping[str, int]:
    return {name: UIDS[name] for name in names}


def test_a_worker_of_a_shared_unit_is_its_account_s_app(tmp_path: Path) -> None:
    server = Server(tmp_path)
    append(server.log, chosen(5, 901, memcg="/system.slice/php8.2-fpm.service"), killed(5, 901))
    assert server.look() == {"blog": 1, "nuage": 0, "_system": 0}
    server.end()


def test_a_process_of_an_app_s_unit_is_counted_once_though_two_places_tell_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    append(server.log, chosen(5, 0, memcg=f"/system.slice/{UNIT}"), killed(5, 0))
    server.groups.unit(UNIT, kills=4)
    assert server.look() == server.look() == {"blog": 0, "nuage": 1, "_system": 0}
    server.end()


def test_what_is_nobody_s_is_the_system_s(tmp_path: Path) -> None:
    server = Server(tmp_path)
    append(server.log, chosen(5, 107, memcg="/system.slice/mariadb.service"), killed(5, 107))
    assert server.look() == {"blog": 0, "nuage": 0, "_system": 1}
    server.end()


def test_without_a_log_the_units_counters_tell_and_the_rest_is_absent(tmp_path: Path) -> None:
    server = Server(tmp_path, log=False)
    assert server.look() == {"nuage": 0}
    server.groups.unit(UNIT, kills=5)
    assert server.look() == server.look() == {"nuage": 2}


def test_a_unit_that_was_started_anew_goes_on_counting(tmp_path: Path) -> None:
    server = Server(tmp_path, log=False)
    server.groups.end(UNIT)
    assert server.look() == {"nuage": 0}
    server.groups.unit(UNIT, kills=1)
    assert server.look() == {"nuage": 1}


def test_a_restarted_agent_counts_nothing_twice(tmp_path: Path) -> None:
    server = Server(tmp_path)
    append(server.log, killed(5, 901))
    server.look()
    server.end()
    again = OomKillsCollector(_ids, root=tmp_path)
    assert set(figures(again.collect(APPS, NOW)).values()) == {0}
    again.close()


def test_a_log_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.end()
    refused = OomKillsCollector(_ids, root=tmp_path, log=RefusedLog(server.log))
    assert figures(refused.collect(APPS, NOW)) == {'coloc_app_oom_kills_total{app="nuage",project="_none"}': 0}
    assert "may not be read" in refused.limits()[0]
