"""The daemon's accounts on real servers: made once, seen to be enough, removed, and nobody else's touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from coloc.databases import mysql, postgresql
from coloc.databases.accounts import HBA_LINE, peer_may_enter
from coloc.databases.servers import Servers
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server

YUNOHOST = "local all postgres trust\nlocal all all md5\n"


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with postgresql_server() as pg, mariadb_server() as maria:
        Path(f"{pg.pg_host}/data/pg_hba.conf").write_text(YUNOHOST)
        postgresql.ask(pg, "SELECT pg_reload_conf()")
        yield replace(pg, mysql_socket=maria.mysql_socket, mysql_defaults_file=maria.mysql_defaults_file)


@pytest.fixture
def config(servers: Servers, tmp_path: Path) -> Path:
    file = tmp_path / "coloc.yml"
    lines = "".join(f"  {key}: {value!r}\n" for key, value in servers.as_data().items())
    file.write_text(f"coloc: {{name: hautepierre}}\ndatabase_servers:\n{lines}")
    return file


def do(config: Path, *argv: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(config), "database-accounts", *argv], standalone_mode=False)


def there(servers: Servers) -> tuple[bool, bool, bool]:
    """The account, the role, the line."""
    return (
        bool(mysql.ask(servers, "SELECT 1 FROM mysql.user WHERE user = 'coloc-agent'")),
        bool(postgresql.ask(servers, "SELECT 1 FROM pg_roles WHERE rolname = 'coloc-agent'")),
        HBA_LINE in Path(f"{servers.pg_host}/data/pg_hba.conf").read_text(),
    )


def test_they_are_made_once_and_removed_without_a_trace(servers: Servers, config: Path) -> None:
    dry = do(config, "create", "--dry-run")
    assert (dry.return_value, there(servers)) == (0, (False, False, False)), dry.output
    assert dry.output.count("would make") == 3
    made = do(config, "create")
    assert (made.return_value, there(servers)) == (0, (True, True, True)), made.output
    again = do(config, "create")
    assert again.return_value == 0
    assert "nothing to make" in again.output
    assert do(config, "remove", "--dry-run").output.count("would remove") == 3
    assert there(servers) == (True, True, True)
    gone = do(config, "remove")
    assert (gone.return_value, there(servers)) == (0, (False, False, False)), gone.output
    assert Path(f"{servers.pg_host}/data/pg_hba.conf").read_text() == YUNOHOST
    assert "nothing to remove" in do(config, "remove").output


def test_an_account_that_is_not_ours_is_left_alone_and_the_other_server_served(servers: Servers, config: Path) -> None:
    mysql.ask(
        servers,
        "CREATE USER 'coloc-agent'@'localhost' IDENTIFIED BY 'x'; GRANT SELECT ON *.* TO 'coloc-agent'@'localhost'",
    )
    for verb, role in (("create", True), ("remove", False)):
        result = do(config, verb)
        assert result.return_value == 1
        assert "left alone" in result.output
        assert there(servers) == (True, role, role)
    mysql.ask(servers, "DROP USER 'coloc-agent'@'localhost'")


def test_a_role_that_may_more_is_left_alone(servers: Servers, config: Path) -> None:
    postgresql.ask(servers, 'CREATE ROLE "coloc-agent" LOGIN CREATEDB')
    result = do(config, "remove")
    assert result.return_value == 1
    assert there(servers)[1]
    postgresql.ask(servers, 'DROP ROLE "coloc-agent"')


def test_a_half_made_account_is_completed(servers: Servers, config: Path) -> None:
    mysql.ask(servers, "CREATE USER 'coloc-agent'@'localhost' IDENTIFIED VIA unix_socket")
    postgresql.ask(servers, 'CREATE ROLE "coloc-agent" LOGIN')
    assert do(config, "create").return_value == 0
    assert "PROCESS" in mysql.ask(servers, "SHOW GRANTS FOR 'coloc-agent'@'localhost'")[0][0]
    assert do(config, "remove").return_value == 0
    assert there(servers) == (False, False, False)


@pytest.mark.parametrize(
    ("rules", "enters"),
    [
        ([["all", "postgres", "peer", ""], ["all", "all", "peer", ""]], True),
        ([["all", "postgres", "peer", ""], ["all", "all", "md5", ""]], False),
        ([["postgres", "coloc-agent", "peer", ""], ["all", "all", "md5", ""]], True),
        ([["all", "all", "peer", "{map=x}"]], False),
        ([], False),
    ],
)
def test_who_enters_is_told_by_the_first_rule_that_fits(rules: list[list[str]], enters: bool) -> None:
    assert peer_may_enter(rules) is enters
