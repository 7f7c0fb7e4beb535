"""What a look at the databases costs us, the programs that we start and the servers. Prints one JSON line; as root.

python -m bench.databases [databases] [looks]
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from collectors.databases import DatabasesCollector
from coloc.databases import mysql, postgresql
from coloc.databases.answers import askers
from coloc.databases.servers import Servers
from coloc.model import App, Colocation, Database, DatabaseKind, Inventory
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server

_TABLES = 12


def main() -> None:
    """Fill two servers, look, print."""
    databases = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    looks = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    figures: dict[str, float] = {"databases": databases, "tables": databases * _TABLES}
    with postgresql_server() as pg, mariadb_server() as maria:
        servers = replace(pg, mysql_socket=maria.mysql_socket, mysql_defaults_file=maria.mysql_defaults_file)
        fill(servers, databases)
        for kind, main_pid in (
            (DatabaseKind.MYSQL, first_number(Path(maria.mysql_socket).with_name("pid"))),
            (DatabaseKind.POSTGRESQL, first_number(Path(pg.pg_host) / "data/postmaster.pid")),
        ):
            figures |= {
                f"{kind}_{name}": ms for name, ms in measure(looker(servers, kind, databases), looks, main_pid).items()
            }
    print(json.dumps(figures))


def looker(servers: Servers, kind: DatabaseKind, databases: int) -> Callable[[], object]:
    """What looks once at the databases of one kind, each of an app of its own."""
    apps = {f"d{n}": App(f"d{n}", "d", "D", databases=(Database(kind, f"d{n}"),)) for n in range(databases)}
    collector = DatabasesCollector(askers=askers(servers))
    return lambda: list(collector.collect(Colocation(Inventory(apps), (), {}), datetime.now(UTC)))


def fill(servers: Servers, databases: int) -> None:
    """Databases with as many tables as a WordPress has. PostgreSQL's are copies of an empty one."""
    mysql.ask(servers, "SET GLOBAL userstat = 1")
    for n in range(databases):
        tables = "".join(f"CREATE TABLE d{n}.t{t} (id INT PRIMARY KEY, body TEXT);" for t in range(_TABLES))
        mysql.ask(servers, f"CREATE DATABASE d{n};{tables}")
        postgresql.ask(servers, f"CREATE DATABASE d{n}")


def measure(look: Callable[[], object], looks: int, server: int) -> dict[str, float]:
    """Milliseconds of a look: of the clock, and of processors for us, the programs that we start, and the server."""
    look()
    before, begun = spent(server), time.monotonic()
    for _ in range(looks):
        look()
    wall = time.monotonic() - begun
    after = spent(server)
    cpu = {name: round((after[name] - before[name]) * 1000 / looks, 2) for name in before}
    return {"wall_ms": round(wall * 1000 / looks, 2), **cpu}


def spent(server: int) -> dict[str, float]:
    """Seconds of processors so far."""
    ours, programs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    fields = Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()
    return {
        "agent_cpu_ms": ours.ru_utime + ours.ru_stime,
        "client_cpu_ms": programs.ru_utime + programs.ru_stime,
        "server_cpu_ms": sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK"),
    }


def first_number(file: Path) -> int:
    """The process that a pid file names."""
    return int(file.read_text().split()[0])


if __name__ == "__main__":
    main()
