"""Sizes of databases: names that may become labels, servers that do not answer, shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from collectors.databases import DatabasesCollector
from coloc.errors import ColocError
from coloc.model import App, Database, DatabaseKind
from tests.fakes.colocations import colocation, figures

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MYSQL, POSTGRESQL, SQLITE = DatabaseKind.MYSQL, DatabaseKind.POSTGRESQL, DatabaseKind.SQLITE
BLOG = App("blog", "b", "B", databases=(Database(MYSQL, "blog"),))
TCHAT = App("tchat", "t", "T", databases=(Database(POSTGRESQL, "tchat"),))
SHARES = {"blog": {"chorale": 0.5, "velo": 0.5}, "tchat": {"velo": 1.0}}


def known(databases: Iterable[Database]) -> Mapping[Database, int]:
    return dict.fromkeys(databases, 1000)


def hanging(databases: Iterable[Database]) -> Mapping[Database, int]:
    raise ColocError("mariadb does not answer", hint="look at its journal")


def test_a_server_that_hangs_costs_only_its_own_series() -> None:
    collector = DatabasesCollector(sizes={MYSQL: hanging, POSTGRESQL: known})
    seen = figures(collector.collect(colocation(BLOG, TCHAT, shares=SHARES), NOW))
    assert seen['coloc_app_database_bytes{app="tchat",database="tchat",project="velo"}'] == 1000
    assert seen['coloc_database_server_success{kind="mysql"}'] == 0
    assert seen['coloc_database_server_success{kind="postgresql"}'] == 1
    assert 'coloc_project_database_bytes{project="velo"}' not in seen  # its half of blog's is unknown
    assert collector.limits() == ("mariadb does not answer — look at its journal",)


def test_projects_bear_their_shares() -> None:
    collector = DatabasesCollector(sizes={MYSQL: known, POSTGRESQL: known})
    seen = figures(collector.collect(colocation(BLOG, TCHAT, shares=SHARES), NOW))
    assert seen['coloc_app_database_bytes{app="blog",database="blog",project="_shared"}'] == 1000
    assert seen['coloc_project_database_bytes{project="velo"}'] == 1500
    assert collector.limits() == ()


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
    app = App("many", "m", "M", databases=tuple(Database(MYSQL, f"db{number:03d}") for number in range(300)))
    seen = figures(DatabasesCollector(sizes={MYSQL: known}).collect(colocation(app), NOW))
    assert seen['coloc_app_database_bytes{app="many",database="_other",project="_none"}'] == 280_000
    assert seen["coloc_databases_folded"] == 280
    assert sum(name.startswith("coloc_app_database_bytes") for name in seen) == 21


def test_a_strange_name_becomes_a_harmless_label() -> None:
    app = App("odd", "o", "O", databases=(Database(MYSQL, 'x\udcff\n"' + "y" * 500),))
    (name,) = (
        name
        for name in figures(DatabasesCollector(sizes={MYSQL: known}).collect(colocation(app), NOW))
        if "odd" in name
    )
    name.encode()
    assert "\n" not in name
    assert len(name) < 250
