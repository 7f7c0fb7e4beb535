"""Sizes of databases from a real MariaDB and a real PostgreSQL, and what is left when one of them is gone."""

from __future__ import annotations

from datetime import UTC, datetime

from collectors.databases import DatabasesCollector
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from coloc.databases.sizes import size_readers
from coloc.model import App, Database, DatabaseKind
from tests.fakes.colocations import colocation, figures
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPS = colocation(
    App("blog", "b", "B", databases=(Database(DatabaseKind.MYSQL, "blog"), Database(DatabaseKind.MYSQL, "not_there"))),
    App("tchat", "t", "T", databases=(Database(DatabaseKind.POSTGRESQL, "tchat"),)),
    shares={"blog": {"velo": 1.0}, "tchat": {"chorale": 1.0}},
)
BLOG = 'coloc_app_database_bytes{app="blog",database="blog",project="velo"}'
TCHAT = 'coloc_app_database_bytes{app="tchat",database="tchat",project="chorale"}'


def measure(servers: Servers) -> dict[str, float]:
    return figures(DatabasesCollector(sizes=size_readers(servers)).collect(APPS, NOW))


def test_real_servers_tell_sizes_and_a_dead_one_costs_only_its_own() -> None:
    with postgresql_server() as pg:
        with mariadb_server() as maria:
            mysql.ask(maria, "CREATE DATABASE blog")
            mysql.ask(maria, "CREATE TABLE blog.posts (body VARCHAR(4000)) SELECT REPEAT('x', 4000) AS body")
            postgresql.ask(pg, "CREATE DATABASE tchat")
            servers = Servers(
                maria.mysql_socket, maria.mysql_defaults_file, pg.pg_host, pg.pg_port, pg.pg_user, pg.pg_run_as
            )
            seen = measure(servers)
        assert seen[BLOG] >= 16_384
        assert seen[TCHAT] > 1_000_000
        assert not [name for name in seen if "not_there" in name]
        assert 'coloc_project_database_bytes{project="velo"}' not in seen  # one of its databases is unknown
        seen = measure(servers)
        assert BLOG not in seen
        assert seen[TCHAT] > 1_000_000
        assert seen['coloc_database_server_success{kind="mysql"}'] == 0
