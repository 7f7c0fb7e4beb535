"""What databases cost: names that may become labels, servers that do not answer, shares, times that only grow."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.databases import DatabasesCollector
from coloc.databases.answers import Answer, Ask
from coloc.errors import ColocError
from coloc.model import App, Database, DatabaseKind
from tests.fakes.colocations import colocation, figures

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MYSQL, POSTGRESQL, SQLITE = DatabaseKind.MYSQL, DatabaseKind.POSTGRESQL, DatabaseKind.SQLITE
BLOG = App("blog", "b", "B", databases=(Database(MYSQL, "blog"),))
TCHAT = App("tchat", "t", "T", databases=(Database(POSTGRESQL, "tchat"),))
SHARES = {"blog": {"chorale": 0.5, "velo": 0.5}, "tchat": {"velo": 1.0}}
APPS = colocation(BLOG, TCHAT, shares=SHARES)
BUSY = 'coloc_app_database_busy_seconds_total{app="blog",kind="mysql",project="_shared"}'
CONNECTIONS = 'coloc_app_database_connections{app="blog",kind="mysql",project="_shared"}'


def known(*names: str) -> Ask:
    return lambda: Answer(dict.fromkeys(names, 1000))


def refusing() -> Answer:
    raise ColocError("mariadb does not answer", hint="look at its journal")


class Told:
    """A server that says what a test puts here."""

    def __init__(self) -> None:
        self.answer = Answer({"blog": 1000})

    def __call__(self) -> Answer:
        return self.answer

    def busy(self, **seconds: float) -> None:
        self.answer = Answer({"blog": 1000}, busy=seconds, cpu=seconds)

    def connections(self, connections: Mapping[tuple[str, str], int]) -> None:
        self.answer = Answer({"blog": 1000}, connections)


def test_a_server_that_fails_costs_only_its_own_series() -> None:
    collector = DatabasesCollector(askers={MYSQL: refusing, POSTGRESQL: known("tchat")})
    seen = figures(collector.collect(APPS, NOW))
    assert seen['coloc_app_database_bytes{app="tchat",database="tchat",project="velo"}'] == 1000
    assert seen['coloc_database_server_success{kind="mysql"}'] == 0
    assert seen['coloc_database_server_success{kind="postgresql"}'] == 1
    assert 'coloc_project_database_bytes{project="velo"}' not in seen  # its half of blog's is unknown
    assert not [name for name in seen if 'app="blog"' in name]
    assert collector.limits() == ("mariadb does not answer — look at its journal",)


def test_a_server_that_hangs_is_not_waited_for_nor_asked_twice() -> None:
    free, asked = threading.Event(), list[int]()

    def hanging() -> Answer:
        asked.append(1)
        free.wait()
        return Answer({"blog": 1000})

    collector = DatabasesCollector(askers={MYSQL: hanging, POSTGRESQL: known("tchat")}, patience_seconds=0.2)
    try:
        for _ in range(2):
            seen = figures(collector.collect(APPS, NOW))
            assert seen['coloc_database_server_success{kind="mysql"}'] == 0
        assert len(asked) == 1
        assert "mysql does not answer" in collector.limits()[0]
    finally:
        free.set()


def test_projects_bear_their_shares() -> None:
    collector = DatabasesCollector(askers={MYSQL: known("blog"), POSTGRESQL: known("tchat")})
    seen = figures(collector.collect(APPS, NOW))
    assert seen['coloc_app_database_bytes{app="blog",database="blog",project="_shared"}'] == 1000
    assert seen['coloc_project_database_bytes{project="velo"}'] == 1500
    assert collector.limits() == ()


def test_time_counts_from_the_first_look_and_survives_a_restart_of_the_server() -> None:
    server = Told()
    collector = DatabasesCollector(askers={MYSQL: server})
    apps = colocation(BLOG, shares=SHARES)
    seen = []
    for seconds in (100.0, 107.5, 2.0, 5.0):
        server.busy(blog=seconds, root=1000.0)
        seen.append(figures(collector.collect(apps, NOW)))
    assert [each[BUSY] for each in seen] == [0.0, 7.5, 9.5, 12.5]
    assert seen[-1]['coloc_project_database_busy_seconds_total{project="velo"}'] == 6.25
    assert seen[-1]['coloc_database_statistics_success{kind="mysql"}'] == 1


def test_an_app_that_appears_is_not_charged_what_its_account_had_spent_before() -> None:
    server = Told()
    collector = DatabasesCollector(askers={MYSQL: server})
    other = App("other", "o", "O", databases=(Database(MYSQL, "other"),))
    server.busy(blog=100.0)
    list(collector.collect(colocation(other), NOW))
    server.busy(blog=101.0)
    seen = figures(collector.collect(colocation(BLOG, other, shares=SHARES), NOW))
    assert seen[BUSY] == 1.0


def test_a_server_without_statistics_has_no_times_rather_than_zeros() -> None:
    server = Told()
    collector = DatabasesCollector(askers={MYSQL: server})
    seen = figures(collector.collect(colocation(BLOG, shares=SHARES), NOW))
    assert BUSY not in seen
    assert not [name for name in seen if "seconds" in name]
    assert seen['coloc_database_statistics_success{kind="mysql"}'] == 0


def test_connections_are_the_database_s_or_the_account_s() -> None:
    server = Told()
    server.connections({("blog", "blog"): 2, ("blog", ""): 1, ("root", "blog"): 1, ("root", ""): 7, ("x", "y"): 3})
    seen = figures(DatabasesCollector(askers={MYSQL: server}).collect(colocation(BLOG, shares=SHARES), NOW))
    assert seen[CONNECTIONS] == 4
    assert seen['coloc_project_database_connections{project="chorale"}'] == 2
    assert seen['coloc_database_server_connections{kind="mysql"}'] == 14


def test_a_database_of_two_apps_is_nobody_s() -> None:
    server = Told()
    server.connections({("blog", "blog"): 2})
    twin = App("twin", "t", "T", databases=(Database(MYSQL, "blog"),))
    seen = figures(DatabasesCollector(askers={MYSQL: server}).collect(colocation(BLOG, twin), NOW))
    assert not [name for name in seen if "app_database_connections" in name or "project_database_conn" in name]


def test_an_sqlite_file_is_named_by_its_place_in_the_app_and_counts_what_is_not_merged_yet(tmp_path: Path) -> None:
    folder = tmp_path / "data/wiki/db"
    folder.mkdir(parents=True)
    (folder / "wiki.db").write_bytes(b"x" * 4096)
    (folder / "wiki.db-wal").write_bytes(b"x" * 100)
    files = ("/data/wiki/db/wiki.db", "/data/wiki/gone.db")
    app = App("wiki", "w", "W", data_dir="/data/wiki", databases=tuple(Database(SQLITE, file) for file in files))
    seen = figures(DatabasesCollector(tmp_path).collect(colocation(app), NOW))
    assert seen == {
        'coloc_app_database_bytes{app="wiki",database="db/wiki.db",project="_none"}': 4196,
        "coloc_databases_folded": 0,
    }


def test_an_app_with_hundreds_of_databases_stays_small() -> None:
    names = [f"db{number:03d}" for number in range(300)]
    app = App("many", "m", "M", databases=tuple(Database(MYSQL, name) for name in names))
    seen = figures(DatabasesCollector(askers={MYSQL: known(*names)}).collect(colocation(app), NOW))
    assert seen['coloc_app_database_bytes{app="many",database="_other",project="_none"}'] == 292_000
    assert seen["coloc_databases_folded"] == 292
    assert sum('app="many"' in name for name in seen) <= 12


@pytest.mark.parametrize("name", ['x\udcff\n"' + "y" * 500])
def test_a_strange_name_becomes_a_harmless_label(name: str) -> None:
    app = App("odd", "o", "O", databases=(Database(MYSQL, name),))
    seen = figures(DatabasesCollector(askers={MYSQL: known(name)}).collect(colocation(app), NOW))
    (label,) = (each for each in seen if each.startswith("coloc_app_database_bytes"))
    label.encode()
    assert "\n" not in label
    assert len(label) < 250
