"""Steps on real database servers: a project is slowed, then cannot write, can always delete, and gets all back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coloc.agreed import AgreedLimit, Target
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from helper.databases import DatabaseActuator, DatabaseTraces
from helper.traces import undo_all
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server

LIMIT = AgreedLimit(2, 3, "hard")
NOBODY = Target("velo", "", (), (), (), (), (), {})
UNDO = Path(__file__).parents[3] / "deploy" / "undo.sh"


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with mariadb_server() as ours, postgresql_server() as theirs:
        yield replace(
            ours,
            pg_host=theirs.pg_host,
            pg_port=theirs.pg_port,
            pg_user=theirs.pg_user,
            pg_run_as=theirs.pg_run_as,
        )


class App:
    """A database with one account on MariaDB, and one on PostgreSQL; names that must be quoted."""

    def __init__(self, servers: Servers, name: str) -> None:
        self.servers, self.name = servers, name
        database, user = mysql.identifier(name), f"{mysql.identifier(name)}@localhost"
        pattern = mysql.identifier(name.replace("_", "\\_"))
        self.maria(
            f"CREATE DATABASE {database}; CREATE TABLE {database}.post (id INT); "
            f"INSERT INTO {database}.post VALUES (1), (2); "
            f"CREATE USER {user} IDENTIFIED BY 'x'; GRANT ALL ON {pattern}.* TO {user}"
        )
        role = postgresql.identifier(name)
        postgresql.ask(servers, f"CREATE ROLE {role} LOGIN")
        postgresql.ask(servers, f"CREATE DATABASE {role} OWNER {role}")
        self.target = replace(NOBODY, mysql=(name,), postgresql=(name,))

    def maria(self, sql: str) -> list[list[str]]:
        return mysql.ask(self.servers, sql)

    def as_app(self, sql: str) -> str:
        """What its own account is told by MariaDB; "" when it was done."""
        argv = ["mariadb", *self.servers.mysql_options(), f"--user={self.name}", "--password=x", "--batch"]
        done = subprocess.run([*argv, self.name], input=sql, capture_output=True, text=True, timeout=60, check=False)
        return done.stderr

    def rights(self) -> list[list[str]]:
        """Everything that the two servers know of it."""
        found = sorted(self.maria(f"SHOW GRANTS FOR {mysql.identifier(self.name)}@localhost"))
        sql = "SELECT rolconnlimit::text, coalesce(rolconfig::text, '') FROM pg_roles WHERE rolname ="
        return [*found, *postgresql.ask(self.servers, f"{sql}{postgresql.text(self.name)}", columns=2)]

    def drop(self) -> None:
        self.maria(f"DROP DATABASE {mysql.identifier(self.name)}; DROP USER {mysql.identifier(self.name)}@localhost")
        postgresql.ask(self.servers, f"DROP DATABASE {postgresql.identifier(self.name)}")
        postgresql.ask(self.servers, f"DROP ROLE {postgresql.identifier(self.name)}")


@pytest.fixture(params=["blog_one", "we'ird`\"na me"])
def app(servers: Servers, request: pytest.FixtureRequest) -> Iterator[App]:
    found = App(servers, request.param)
    yield found
    DatabaseTraces(servers).undo_all()
    found.drop()


def limit_of(app: App) -> tuple[str, str]:
    ((maria,),) = app.maria(f"SELECT max_user_connections FROM mysql.user WHERE User = {mysql.text(app.name)}")
    sql = f"SELECT rolconnlimit FROM pg_roles WHERE rolname ={postgresql.text(app.name)}"
    ((pg,),) = postgresql.ask(app.servers, sql)
    return maria, pg


@pytest.mark.parametrize(
    ("resource", "throttled", "hard"),
    [("database", ("5", "5"), ("5", "1")), ("database_connections", ("3", "3"), ("2", "2"))],
)
def test_steps_are_taken_read_back_and_given_back(
    app: App, resource: str, throttled: tuple[str, str], hard: tuple[str, str]
) -> None:
    before, actuator = app.rights(), DatabaseActuator(resource, app.servers)
    assert actuator.cannot(app.target) == ""
    assert not actuator.read_back(app.target, "throttle", LIMIT).stands
    for step, expected in (("throttle", throttled), ("throttle", throttled), ("hard", hard), ("throttle", throttled)):
        done = actuator.apply(app.target, step, LIMIT)
        found = actuator.read_back(app.target, step, LIMIT)
        assert found.stands, found.says
        assert limit_of(app) == expected
        assert "ALTER USER" in done.call
        assert "ALTER ROLE" in done.call
        assert app.as_app("DELETE FROM post WHERE id = 99; SELECT * FROM post") == ""
        is_stopped = resource == "database" and step == "hard"
        assert ("denied" in app.as_app("INSERT INTO post VALUES (5)")) == is_stopped
    actuator.undo(app.target)
    assert app.rights() == before
    actuator.undo(app.target)
    assert app.rights() == before


def test_an_open_session_loses_its_right_to_write_too(app: App) -> None:
    argv = [
        "mariadb",
        *app.servers.mysql_options(),
        f"--user={app.name}",
        "--password=x",
        "--batch",
        "--unbuffered",
        "--force",
    ]
    with subprocess.Popen(
        [*argv, app.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write("SELECT 'there';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "there\n"
        DatabaseActuator("database", app.servers).apply(app.target, "hard", LIMIT)
        session.stdin.write("INSERT INTO post VALUES (7);\n")
        session.stdin.close()
        assert "ERROR" in session.stdout.read()
    assert app.maria(f"SELECT count(*) FROM {mysql.identifier(app.name)}.post WHERE id = 7") == [["0"]]


def test_two_limits_on_one_account_meet_at_the_lower_one(app: App) -> None:
    size, connections = (DatabaseActuator(name, app.servers) for name in ("database", "database_connections"))
    connections.apply(app.target, "throttle", LIMIT)
    size.apply(app.target, "throttle", LIMIT)
    assert not connections.read_back(app.target, "throttle", LIMIT).stands  # the daemon asks again
    connections.apply(app.target, "throttle", LIMIT)
    assert connections.read_back(app.target, "throttle", LIMIT).stands
    assert size.read_back(app.target, "throttle", LIMIT).stands


@pytest.mark.parametrize(
    ("maria", "words"),
    [
        ("GRANT SELECT ON mysql.* TO {user}", "is used for mysql as well"),
        ("GRANT INSERT ON *.* TO {user}", "may write in every database"),
        ("ALTER USER {user} WITH MAX_USER_CONNECTIONS 9", "has a limit of connections of its own"),
        ("CREATE USER second; GRANT SELECT ON {pattern}.* TO second", "several accounts of MariaDB write in"),
    ],
)
def test_an_account_that_is_not_theirs_alone_is_left_alone(app: App, maria: str, words: str) -> None:
    user, pattern = f"{mysql.identifier(app.name)}@localhost", mysql.identifier(app.name.replace("_", "\\_"))
    try:
        app.maria(maria.format(user=user, pattern=pattern))
        before = app.rights()
        actuator = DatabaseActuator("database", app.servers)
        assert words in actuator.cannot(app.target)
        with pytest.raises(ColocError, match=words):
            actuator.apply(app.target, "throttle", LIMIT)
        assert app.rights() == before
    finally:
        app.maria("DROP USER IF EXISTS second")


def test_a_role_that_owns_another_s_database_or_may_do_everything_is_left_alone(app: App) -> None:
    only = replace(app.target, mysql=())
    role = postgresql.identifier(app.name)
    postgresql.ask(app.servers, f"CREATE DATABASE other OWNER {role}")
    try:
        assert "owns other as well" in DatabaseActuator("database", app.servers).cannot(only)
    finally:
        postgresql.ask(app.servers, "DROP DATABASE other")
    postgresql.ask(app.servers, f"ALTER ROLE {role} SUPERUSER")
    assert "may do everything" in DatabaseActuator("database", app.servers).cannot(only)


def test_a_limit_of_postgresql_from_before_comes_back(app: App) -> None:
    only = replace(app.target, mysql=())
    postgresql.ask(app.servers, f"ALTER ROLE {postgresql.identifier(app.name)} CONNECTION LIMIT 40")
    actuator = DatabaseActuator("database_connections", app.servers)
    for step in ("throttle", "hard"):
        actuator.apply(only, step, LIMIT)
    actuator.undo(only)
    assert limit_of(app)[1] == "40"


def undo_by_traces(servers: Servers) -> None:
    DatabaseTraces(servers).undo_all()


def undo_by_sh(servers: Servers) -> None:
    env = {"PATH": os.environ["PATH"], "DESTDIR": "/nonexistent-root", "PGHOST": servers.pg_host, "PGPORT": "5432"}
    env |= {"PGUSER": servers.pg_user, "PG_ACCOUNT": servers.pg_run_as}
    env |= {"MARIADB_OPTIONS": " ".join(servers.mysql_options()), "SERVERS": "yes"}
    done = subprocess.run(["sh", str(UNDO)], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("undo", [undo_by_traces, undo_by_sh])
@pytest.mark.parametrize("step", ["throttle", "hard"])
def test_everything_is_found_again_without_any_memory(app: App, undo: object, step: str) -> None:
    before = app.rights()
    assert list(DatabaseTraces(app.servers).find()) == []
    DatabaseActuator("database", app.servers).apply(app.target, step, LIMIT)
    assert any(trace.place == "PostgreSQL" for trace in DatabaseTraces(app.servers).find())
    assert callable(undo)
    undo(app.servers)
    assert app.rights() == before
    assert list(DatabaseTraces(app.servers).find()) == []
    assert app.maria("SELECT User FROM mysql.user WHERE is_role = 'Y'") == []


def test_whose_databases_they_were_is_not_guessed(servers: Servers) -> None:
    actuator = DatabaseActuator("database", servers)
    assert "no database" in actuator.cannot(NOBODY)
    with pytest.raises(ColocError, match="nobody knows any more"):
        actuator.undo(NOBODY)


def test_a_server_that_is_down_is_told_and_stops_nobody_from_undoing_the_rest(tmp_path: Path) -> None:
    nowhere = DatabaseTraces(Servers(mysql_socket=str(tmp_path / "no"), pg_host=str(tmp_path), pg_run_as=""))
    assert list(nowhere.find()) == []
    assert len(nowhere.unseen) == 2
    assert nowhere.undo_all() == []
    said: list[str] = []
    assert undo_all([nowhere], tmp_path, said.append)
    assert sum("was not looked at" in sentence for sentence in said) == 2
