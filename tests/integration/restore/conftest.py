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
from tests.integration.restore.house import House, build


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


@pytest.fixture
def house(tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """An app with everything, its unit running."""
    units = Units(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{units.folder}:{os.environ['PATH']}")
    built = build(tmp_path, servers, units)
    yield built
    built.drop_databases()
