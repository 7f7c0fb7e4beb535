"""Databases of real servers: what is counted is what was there, and a server that hangs costs only its own series."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.databases import DatabasesCollector
from coloc.databases import mysql, postgresql
from coloc.databases.accounts import MYSQL_RIGHTS
from coloc.databases.answers import askers
from coloc.databases.servers import Servers
from coloc.model import App, Database, DatabaseKind
from tests.fakes.colocations import colocation, figures
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server
from tests.fakes.waiting import until

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MYSQL, POSTGRESQL = DatabaseKind.MYSQL, DatabaseKind.POSTGRESQL
PAGES = App("pages", "p", "P", databases=(Database(MYSQL, "pages"), Database(MYSQL, "not_there")))
APPS = colocation(
    App("blog", "b", "B", databases=(Database(MYSQL, "blog"),)),
    PAGES,
    App("tchat", "t", "T", databases=(Database(POSTGRESQL, "tchat"),)),
    App("salon", "s", "S", databases=(Database(POSTGRESQL, "salon"),)),
    shares={"blog": {"velo": 1.0}, "pages": {"club": 1.0}, "tchat": {"chorale": 1.0}, "salon": {"bal": 1.0}},
)
PROJECTS = {"blog": "velo", "pages": "club", "tchat": "chorale", "salon": "bal"}


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with postgresql_server() as pg, mariadb_server() as maria:
        both = replace(pg, mysql_socket=maria.mysql_socket, mysql_defaults_file=maria.mysql_defaults_file)
        for name in ("blog", "pages"):
            mysql.ask(
                both,
                f"CREATE DATABASE {name}; CREATE USER {name}@localhost IDENTIFIED BY ''; "
                f"GRANT ALL ON {name}.* TO {name}@localhost",
            )
        mysql.ask(both, "SET GLOBAL userstat = 1; CREATE TABLE blog.posts (body VARCHAR(4000)) SELECT 'x' AS body")
        mysql.ask(both, "CREATE TABLE blog.old (body VARCHAR(4000)) ENGINE=MyISAM SELECT REPEAT('x', 3000) AS body")
        for name in ("tchat", "salon"):
            postgresql.ask(both, f"CREATE DATABASE {name}")
        yield both


class Watch:
    """The collector, and what it saw last."""

    def __init__(self, servers: Servers) -> None:
        self._collector = DatabasesCollector(askers=askers(servers), patience_seconds=30.0)
        self.seen: dict[str, float] = {}

    def look(self) -> dict[str, float]:
        self.seen = figures(self._collector.collect(APPS, NOW))
        return self.seen

    def of(self, what: str, app: str) -> float:
        """A figure of an app, of its one kind of server; -1 when there is none."""
        kind = "mysql" if app in {"blog", "pages"} else "postgresql"
        return self.seen.get(f'coloc_app_database_{what}{{app="{app}",kind="{kind}",project="{PROJECTS[app]}"}}', -1.0)


def both_answer(seen: dict[str, float]) -> dict[str, float]:
    """What was seen, or nothing while one of the servers was too slow."""
    answers = [seen[f'coloc_database_server_success{{kind="{kind}"}}'] for kind in (MYSQL, POSTGRESQL)]
    return seen if all(answers) else {}


def sizes(seen: dict[str, float], app: str) -> float:
    return sum(value for name, value in seen.items() if name.startswith(f'coloc_app_database_bytes{{app="{app}"'))


@contextmanager
def clients(servers: Servers, kind: DatabaseKind, name: str, how_many: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Connections that stay open, each with a pipe for more statements."""
    if kind is MYSQL:
        argv = ["mariadb", *servers.mysql_options(), "--batch", "--unbuffered", f"--user={name}", name]
        options = {}
    else:
        argv = ["psql", "--no-psqlrc", "--quiet", f"--dbname={name}"]
        options = {"user": servers.pg_account(), "cwd": "/"}
    env = {**os.environ, **servers.pg_env()}
    started = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=env, **options)  # type: ignore[call-overload]
        for _ in range(how_many)
    ]
    try:
        yield started
    finally:
        for client in started:
            client.kill()
            client.wait()
            client.stdin.close()


def say(client: subprocess.Popen[bytes], sql: str) -> None:
    assert client.stdin is not None
    client.stdin.write(f"{sql}\n".encode())
    client.stdin.flush()


def test_sizes_are_those_of_everybody_and_what_is_not_there_is_absent(servers: Servers) -> None:
    seen = until(lambda: both_answer(Watch(servers).look()), seconds=100)
    assert sizes(seen, "blog") >= 65_536 + 3000
    assert sizes(seen, "tchat") > 1_000_000
    assert not [name for name in seen if "not_there" in name]
    assert 'coloc_project_database_bytes{project="velo"}' in seen
    assert 'coloc_project_database_bytes{project="club"}' not in seen  # one of its databases is unknown


@pytest.mark.parametrize(("kind", "app", "other"), [(MYSQL, "blog", "pages"), (POSTGRESQL, "tchat", "salon")])
def test_connections_are_counted_exactly(servers: Servers, kind: DatabaseKind, app: str, other: str) -> None:
    watch = Watch(servers)
    with clients(servers, kind, app, 5), clients(servers, kind, other, 2):
        until(
            lambda: watch.look() and (watch.of("connections", app), watch.of("connections", other)) == (5, 2),
            seconds=100,
        )
        assert watch.seen[f'coloc_project_database_connections{{project="{PROJECTS[app]}"}}'] == 5
        everybody = f'coloc_database_server_connections{{kind="{kind}"}}'  # and not we
        until(lambda: watch.look().get(everybody) == 7, seconds=100)
    until(lambda: watch.look() and watch.of("connections", app) == 0, seconds=100)


@pytest.mark.parametrize(
    ("kind", "app", "other", "work"),
    [
        (MYSQL, "blog", "pages", "SELECT BENCHMARK(2000000, MD5('x'));"),
        (POSTGRESQL, "tchat", "salon", "SELECT count(md5(n::text)) FROM generate_series(1, 400000) n;"),
    ],
)
def test_work_is_charged_to_the_app_whose_it_is(
    servers: Servers, kind: DatabaseKind, app: str, other: str, work: str
) -> None:
    watch = Watch(servers)
    with clients(servers, kind, app, 1) as (working,), clients(servers, kind, other, 1):
        until(lambda: watch.look() and watch.of("connections", app) == watch.of("connections", other) == 1, seconds=100)
        last = -1.0
        deadline = time.monotonic() + 100
        while watch.of("cpu_seconds_total", app) < 0.3 or watch.of("busy_seconds_total", app) < 0.3:
            assert time.monotonic() < deadline
            say(working, work)
            time.sleep(0.1)
            watch.look()
            assert watch.of("cpu_seconds_total", app) >= last
            last = watch.of("cpu_seconds_total", app)
    assert 0 <= watch.of("cpu_seconds_total", other) < 0.2
    assert 0 <= watch.of("busy_seconds_total", other) < 0.2


def test_an_account_with_the_daemon_s_rights_sees_as_much_as_the_administrator(
    servers: Servers, tmp_path: Path
) -> None:
    mysql.ask(
        servers, f"CREATE USER watcher@localhost; GRANT {', '.join(sorted(MYSQL_RIGHTS))} ON *.* TO watcher@localhost"
    )
    postgresql.ask(servers, "CREATE ROLE watcher LOGIN IN ROLE pg_monitor")
    options = tmp_path / "watcher.cnf"
    options.write_text("[client]\nuser=watcher\n")
    watcher = replace(servers, mysql_defaults_file=str(options), pg_user="watcher")
    with clients(servers, MYSQL, "pages", 2), clients(servers, POSTGRESQL, "salon", 2):
        watch = Watch(watcher)
        until(
            lambda: watch.look() and watch.of("connections", "pages") == watch.of("connections", "salon") == 2,
            seconds=100,
        )
    assert watch.of("busy_seconds_total", "pages") >= 0
    assert watch.of("cpu_seconds_total", "salon") >= 0
    administrator = Watch(servers)
    for app in ("blog", "tchat"):  # again, as PostgreSQL may tidy up between two looks
        until(lambda app=app: sizes(watch.look(), app) == sizes(administrator.look(), app) > 0, seconds=100)  # type: ignore[misc]


def test_a_server_that_stands_still_costs_only_its_own_series(servers: Servers) -> None:
    watch = Watch(servers)
    (pid,) = (int(row[0]) for row in [Path(servers.mysql_socket).with_name("pid").read_text().split()])
    os.kill(pid, signal.SIGSTOP)
    try:
        # Whatever this machine is busy with, the other server answers sooner or later; the one that stands still never.
        until(lambda: watch.look() and watch.of("connections", "tchat") >= 0, seconds=100)
        assert watch.seen['coloc_database_server_success{kind="mysql"}'] == 0
        assert sizes(watch.seen, "blog") == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: watch.look()['coloc_database_server_success{kind="mysql"}'] == 1, seconds=100)


def test_a_socket_that_never_answers_costs_only_its_own_series(servers: Servers, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / ".s.PGSQL.5432"))
        silent.listen()
        (tmp_path / ".s.PGSQL.5432").chmod(0o777)
        tmp_path.chmod(0o755)
        watch = Watch(replace(servers, pg_host=str(tmp_path)))
        until(lambda: watch.look() and watch.of("connections", "blog") >= 0, seconds=100)
    assert watch.seen['coloc_database_server_success{kind="postgresql"}'] == 0
    assert sizes(watch.seen, "tchat") == 0
    assert sizes(watch.seen, "blog") > 0


def test_a_server_that_is_gone_costs_only_its_own_series(servers: Servers) -> None:
    watch = Watch(replace(servers, mysql_socket="/nowhere"))
    until(lambda: watch.look() and watch.of("connections", "tchat") >= 0, seconds=100)
    seen = watch.seen
    assert sizes(seen, "blog") == 0
    assert sizes(seen, "tchat") > 1_000_000
    assert seen['coloc_database_server_success{kind="mysql"}'] == 0
