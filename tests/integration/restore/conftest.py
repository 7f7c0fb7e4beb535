"""The private database servers of these tests: one of each for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coloc.databases.servers import Servers
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server
from tests.fakes.systemctl import Units
from tests.integration.restore.house import House, build, copy_of


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Both servers, reached by their sockets."""
    with mariadb_server() as maria, postgresql_server() as postgres:
        yield Servers(
            mysql_socket=maria.mysql_socket,
            mysql_defaults_file=maria.mysql_defaults_file,
            pg_host=postgres.pg_host,
            pg_port=postgres.pg_port,
            pg_user=postgres.pg_user,
            pg_run_as=postgres.pg_run_as,
        )


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> House:
    """An app with everything, backed up once by a real run."""
    folder = tmp_path_factory.mktemp("saved")
    built = build(folder, servers, Units(folder / "bin"))
    built.back_up()
    return built


@pytest.fixture
def house(tmp_path: Path, saved: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The saved app once more, its unit running."""
    units = Units(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{units.folder}:{os.environ['PATH']}")
    copy = copy_of(saved, tmp_path, units)
    yield copy
    copy.drop_databases()
