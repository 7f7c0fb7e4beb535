"""Redis, with the real server: one number alone is saved, drilled, restored and taken back, byte by byte."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.colocation import read_colocation
from backup.drill_journal import open_drill_journal
from backup.drills import DrillRun
from backup.journal import open_journal
from backup.nightly import run_night
from backup.restore import Restoring
from backup.restore_plan import Only, Wish
from backup.restore_prepare import prepare
from backup.restore_unfinished import last_restore, undo_restore
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.databases import redis
from coloc.databases.redis_scratch import scratch_server, try_dump
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from coloc.facts import Spool
from tests.fakes.redis import content, fill, redis_server


@pytest.fixture(scope="module")
def server() -> Iterator[Servers]:
    with redis_server() as servers:
        yield servers


@pytest.fixture
def clean(server: Servers) -> Servers:
    client = redis.Client(server, 0)
    client.ask([b"FLUSHALL"])
    client.close()
    return server


def dump_to(servers: Servers, number: int, file: Path) -> dict[str, int]:
    with file.open("wb") as opened:
        return dict(redis.dump(servers, number, opened.write))


def test_a_dump_brings_every_key_back_and_no_other_number(clean: Servers, tmp_path: Path) -> None:
    fill(clean, 3, 2500)
    fill(clean, 4, 5)
    before, other = content(clean, 3), content(clean, 4)
    dump = tmp_path / "dump"
    assert dump_to(clean, 3, dump) == {"keys": 2505, "keys that expire": 1}
    assert try_dump(dump) == {"keys": 2505}
    fill(clean, 3, 9000)
    assert redis.load(clean, 3, dump, for_good=True) == 2505
    assert content(clean, 3) == before
    assert content(clean, 4) == other


def test_debians_own_client_loads_it(clean: Servers, tmp_path: Path) -> None:
    fill(clean, 3, 20)
    dump = tmp_path / "dump"
    dump_to(clean, 3, dump)
    argv = ["redis-cli", "-s", clean.redis_socket, "-n", "7", "--pipe"]
    with dump.open("rb") as opened:
        done = subprocess.run(argv, stdin=opened, capture_output=True, text=True, timeout=60, check=False)
    assert "errors: 0" in done.stdout
    assert content(clean, 7) == content(clean, 3)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"*6\r\n$7\r\nRESTORE\r\n",
        b"*1\r\n$8\r\nFLUSHALL\r\n",
        b"nonsense\n",
        b"*2\r\n$4\r\nECHO\r\n$99999999999\r\n",
    ],
)
def test_a_bad_dump_changes_nothing(clean: Servers, tmp_path: Path, damage: bytes) -> None:
    fill(clean, 3, 10)
    before = content(clean, 3)
    dump = tmp_path / "dump"
    dump_to(clean, 3, dump)
    whole = dump.read_bytes()
    cut = whole.rindex(b"*6\r\n")
    dump.write_bytes(whole[:cut] + damage)
    with pytest.raises(ColocError, match="Redis"):
        redis.load(clean, 3, dump, for_good=True)
    assert content(clean, 3) == before
    with pytest.raises(ColocError):
        try_dump(dump)


def test_a_server_that_is_away_is_a_clear_no(tmp_path: Path) -> None:
    with pytest.raises(ColocError, match="Redis does not answer") as caught:
        redis.count(Servers(redis_socket=str(tmp_path / "none")), 0)
    assert "redis_db: cache" in caught.value.hint


def test_the_scratch_server_is_empty_and_goes() -> None:
    with scratch_server() as servers:
        assert redis.count(servers, 0) == 0
    with pytest.raises(ColocError):
        redis.count(servers, 0)


def world(folder: Path, servers: Servers, redis_db: str = "3") -> Config:
    (folder / "root/srv/forum").mkdir(parents=True, exist_ok=True)
    (folder / "root/srv/forum/a").write_text("hello")
    (folder / "passphrase").write_text("secret\n")
    (folder / "passphrase").chmod(0o600)
    text = f"""
coloc: {{name: ruche}}
root: {folder}/root
apps: {{forum: {{folders: [/srv/forum], redis_db: {redis_db}}}}}
paths: {{journal: {folder}/journal, facts: {folder}/facts}}
database_servers: {{redis_socket: {servers.redis_socket}}}
backup: {{passphrase_file: {folder}/passphrase, hosts: {{merle: {{path: {folder}/merle}}}}}}
"""
    return parse_config(text.encode(), "coloc.yml")


def test_an_app_with_redis_from_backup_to_the_way_back(clean: Servers, tmp_path: Path) -> None:
    config = world(tmp_path, clean)
    fill(clean, 3, 50)
    saved = content(clean, 3)
    journal, drills, spool = (
        open_journal(config.paths.journal),
        open_drill_journal(config.paths.journal),
        Spool(tmp_path / "facts"),
    )
    colocation = read_colocation(config)
    assert run_night(config, colocation, spool=spool, journal=journal).ok
    (drilled,) = DrillRun(config, journal, drills, spool, frozenset({"forum"})).go().done
    assert drilled.proof is not None and drilled.proof.whole and drilled.proof.databases == 1
    client = redis.Client(clean, 3)
    client.ask_all([[b"FLUSHDB"], [b"SET", b"wrong", b"1"]])
    client.close()
    wrong = content(clean, 3)
    app = colocation.inventory.apps["forum"]
    prepared = prepare(config, app, Wish("forum", Only.DATABASE), journal)
    Restoring(config, app, prepared, spool, settle_seconds=0.1).go()
    assert content(clean, 3) == saved
    undo_restore(config, last_restore(config, "forum"))
    assert content(clean, 3) == wrong
    journal.close()
    drills.close()


def test_a_cache_is_left_out(clean: Servers, tmp_path: Path) -> None:
    config = world(tmp_path, Servers(redis_socket="/nowhere"), "cache")
    journal = open_journal(config.paths.journal)
    night = run_night(config, read_colocation(config), spool=Spool(tmp_path / "facts"), journal=journal)
    journal.close()
    assert night.ok, night
