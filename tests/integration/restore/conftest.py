"""The private database servers of these tests: one of each for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coloc.databases.servers import Servers
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server


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
