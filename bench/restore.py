"""What a restore costs beside the raw tools: `borg extract` of the same archive, the clients on the same dumps.

python bench/restore.py [--files N] [--rows N] [--rounds N], as root. Medians and ratios; verification is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent.colocation import read_colocation
from backup.borg import Repository, borg_program
from backup.journal import open_journal
from backup.nightly import run_night
from backup.restore_databases import fetch
from backup.restore_files import verify, walk
from backup.restore_plan import Wish
from backup.restore_prepare import Prepared, prepare
from coloc.command import run
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from coloc.facts import Spool
from coloc.model import DatabaseKind
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server

APP = "bench"
TARGET = 0.95


def main() -> int:
    """Build, save once, then time each piece in turns. 1 when a target is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=20_000, help="of 50 kB: 20 000 are 1 GB")
    parser.add_argument("--rows", type=int, default=400_000, help="of 600 bytes in each database: 400 000 are 250 MB")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="coloc-bench-", dir=os.environ.get("BENCH_FOLDER")) as name,
        mariadb_server() as maria,
        postgresql_server() as pg,
    ):
        servers = replace(pg, mysql_socket=maria.mysql_socket, mysql_defaults_file=maria.mysql_defaults_file)
        folder = Path(name)
        folder.chmod(0o755)
        config = build(folder, servers, asked.files, asked.rows)
        prepared = save(config)
        times: dict[str, list[float]] = {}
        for _ in range(asked.rounds):
            for what, seconds in one_round(prepared, servers, folder).items():
                times.setdefault(what, []).append(seconds)
    return report({what: statistics.median(found) for what, found in times.items()})


def build(folder: Path, servers: Servers, files: int, rows: int) -> Config:
    """A server with one app."""
    top = folder / "root/var/www/bench"
    for number in range(files):
        path = top / str(number // 500) / f"{number}.bin"
        if number % 500 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(25_000) + b"text " * 5_000)
    fill = f"SELECT seq, repeat(md5(seq), 18) FROM seq_1_to_{rows}"
    mysql.create(servers, APP)
    mysql.ask(servers, f"CREATE TABLE t (id INT PRIMARY KEY, b TEXT); INSERT INTO t {fill}", database=APP, timeout=3600)
    postgresql.ask(servers, f"CREATE DATABASE {APP} TEMPLATE template0")
    fill = f"CREATE TABLE t AS SELECT n AS id, repeat(md5(n::text), 18) AS b FROM generate_series(1, {rows}) n"
    postgresql.ask(servers, f"{fill}; ALTER TABLE t ADD PRIMARY KEY (id)", database=APP, timeout=3600)
    (folder / "passphrase").write_text("bench")
    (folder / "passphrase").chmod(0o600)
    entry = {
        "folders": ["/var/www/bench"],
        "databases": [{"kind": "mysql", "name": APP}, {"kind": "postgresql", "name": APP}],
    }
    data = {
        "coloc": {"name": "bench"},
        "root": str(folder / "root"),
        "paths": {"journal": str(folder / "journal"), "facts": str(folder / "facts")},
        "backup": {
            "passphrase_file": str(folder / "passphrase"),
            "hosts": {"local": {"path": str(folder / "repository")}},
        },
        "database_servers": servers.as_data(),
        "apps": {APP: entry},
    }
    return parse_config(json.dumps(data).encode(), "coloc.yml")


def save(config: Config) -> Prepared:
    """Back it up once, and plan the restore."""
    journal, colocation = open_journal(config.paths.journal), read_colocation(config)
    night = run_night(config, colocation, spool=Spool(config.paths.facts), journal=journal)
    if not night.ok:
        raise SystemExit(f"the backup failed: {night}")
    prepared = prepare(config, colocation.inventory.apps[APP], Wish(APP), journal)
    journal.close()
    return prepared


def one_round(prepared: Prepared, servers: Servers, folder: Path) -> dict[str, float]:
    """Each piece by the raw tool, then by the agent, on the same disk."""
    plan, repository = prepared.plan, prepared.repository
    members, stage = [target.member for target in plan.targets], folder / "stage"
    times = {
        "borg extract, raw": timed(partial(raw_extract, repository, plan.files_archive, fresh(stage))),
    }
    fresh(stage)
    times["extract, agent"] = timed(partial(repository.extract, plan.files_archive, stage, paths=members))
    items = list(repository.items(plan.files_archive))
    times["verification of files, agent"] = timed(partial(verify, items, stage, members))
    times["one sequential read of them"] = timed(partial(read_all, stage))
    for database in plan.databases:
        dump = folder / "dump.sql"
        dump.unlink(missing_ok=True)
        fetch(repository, database, dump)
        kind = database.kind
        raw, ours = (raw_mysql, load_mysql) if kind is DatabaseKind.MYSQL else (raw_postgresql, load_postgresql)
        times[f"{kind} client, raw"] = timed(partial(raw, servers, dump))
        times[f"{kind} load, agent"] = timed(partial(ours, servers, dump))
    shutil.rmtree(stage)
    return times


def raw_extract(repository: Repository, archive: str, into: Path) -> None:
    """Borg as a person calls it."""
    env = {"BORG_REPO": repository.location, "BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": str(repository.base)}
    run([borg_program(), "extract", f"::{archive}"], timeout=3600, cwd=into, env=env)


def raw_mysql(servers: Servers, dump: Path) -> None:
    """The client alone, into a database that is made for it."""
    mysql.ask(servers, "CREATE DATABASE raw")
    run(["mariadb", *servers.mysql_options(), "raw"], timeout=3600, stdin=dump)
    mysql.drop(servers, "raw")


def load_mysql(servers: Servers, dump: Path) -> None:
    """What a restore does."""
    mysql.create(servers, "ours")
    mysql.load(servers, "ours", dump, timeout=3600)
    mysql.drop(servers, "ours")


def raw_postgresql(servers: Servers, dump: Path) -> None:
    """psql alone, into a database that is made for it."""
    postgresql.ask(servers, "CREATE DATABASE raw TEMPLATE template0")
    argv = ["psql", "--quiet", "--no-psqlrc", "--dbname=raw", "--output=/dev/null"]
    run(argv, timeout=3600, stdin=dump, env=servers.pg_env(), user=servers.pg_account(), cwd=Path("/"))
    postgresql.drop(servers, "raw")


def load_postgresql(servers: Servers, dump: Path) -> None:
    """What a restore does."""
    postgresql.ask(servers, "CREATE DATABASE ours TEMPLATE template0")
    postgresql.load(servers, "ours", dump, timeout=3600)
    postgresql.drop(servers, "ours")


def fresh(stage: Path) -> Path:
    """An empty folder."""
    if stage.exists():
        shutil.rmtree(stage)
    stage.mkdir()
    return stage


def read_all(stage: Path) -> None:
    """Every byte once, in the order of the folders."""
    for path in walk(stage):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1024 * 1024):
                    pass


def timed(work: Callable[[], object]) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def report(seconds: dict[str, float]) -> int:
    """A table and the ratios. 1 when a target is missed."""
    for what, found in seconds.items():
        print(f"{what:<34} {found:8.2f} s")
    missed = 0
    for raw, ours in (
        ("borg extract, raw", "extract, agent"),
        ("mysql client, raw", "mysql load, agent"),
        ("postgresql client, raw", "postgresql load, agent"),
    ):
        speed = seconds[raw] / seconds[ours]
        missed += speed < TARGET
        print(
            f"{ours:<34} {speed:8.2f} of the speed of the raw tool{'' if speed >= TARGET else f'; {TARGET} is missed'}"
        )
    share = seconds["verification of files, agent"] / seconds["one sequential read of them"]
    missed += share > 1
    print(f"{'verification of files':<34} {share:8.2f} of one sequential read{'' if share <= 1 else '; 1 is missed'}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
