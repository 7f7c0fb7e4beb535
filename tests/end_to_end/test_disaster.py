"""Disaster day, followed from outside: a server is lost, and a bare root comes back from one host alone, all of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup.borg import borg_program
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server
from tests.fakes.sshd import Sshd
from tests.fakes.systemctl import Units
from tests.integration.restore.house import NAME, ROLE, House, build

SHEET = "secret-words"  # what stands on the recovery sheet


@pytest.fixture
def friend(tmp_path: Path) -> Iterator[Sshd]:
    """A friend's server: one repository, no shell."""
    sshd = Sshd(tmp_path / "friend", tmp_path / "friend/repository", serve=f"{borg_program()} serve")
    sshd.start()
    yield sshd
    sshd.stop()


@pytest.fixture
def servers() -> Iterator[Servers]:
    """The database servers of the old server, and then of the new one: empty."""
    with mariadb_server() as maria, postgresql_server() as postgres:
        data = {**postgres.as_data(), **{key: value for key, value in maria.as_data().items() if "mysql" in key}}
        yield Servers(**data)


class Server:
    """The installed program on a server whose whole life is in one folder."""

    def __init__(self, house: House, etc: Path) -> None:
        self.house, self.config = house, etc / "coloc.yml"

    def call(self, *words: str) -> str:
        argv = [sys.executable, "-m", "agent", "--config", str(self.config), *words]
        env = {**os.environ, "PATH": f"{self.house.units.folder}:{os.environ['PATH']}"}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=580, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
        assert SHEET not in done.stdout + done.stderr
        return done.stdout


def test_a_lost_server_comes_back_from_one_host_alone(tmp_path: Path, friend: Sshd, servers: Servers) -> None:
    life = tmp_path / "life"
    life.mkdir()
    house = build(life, servers, Units(tmp_path / "bin"))
    wiki = house.config.root / "srv/wiki"
    wiki.mkdir(parents=True)
    (wiki / "page é.txt").write_text("une page")
    etc = life / "etc"
    etc.mkdir()
    for name in ("passphrase", "id_ed25519", "token", "known_hosts"):
        (etc / name).write_text("token" if name == "token" else SHEET)
        (etc / name).chmod(0o600)
    shutil.copy(friend.key, etc / "id_ed25519")
    shutil.copy(friend.known_hosts, etc / "known_hosts")
    place = friend.url(tmp_path / "friend/repository")
    host = {"ssh": place, "key_file": str(etc / "id_ed25519"), "passphrase_file": str(etc / "passphrase")}
    matrix = {"homeserver": "http://127.0.0.1:9", "room": "!a:b", "token_file": str(etc / "token")}
    data = {
        **house.data,
        "coloc": {"name": "rosa", "language": "en"},
        "backup": {"hosts": {"merle": host}},
        "channels": {"matrix": matrix},
        "apps": {**house.data["apps"], "wiki": {"folders": ["/srv/wiki"]}},
    }
    (etc / "coloc.yml").write_text(json.dumps(data))
    server = Server(house, etc)
    server.call("backup")
    before, pages = house.state(), sorted(path.name for path in wiki.iterdir())

    # The house burns: everything but the friend's server, and the sheet of paper in a drawer.
    drawer = tmp_path / "drawer"
    drawer.mkdir(mode=0o700)
    for file in (friend.key, friend.known_hosts):
        shutil.copy(file, drawer / file.name)
    (drawer / "sheet").write_text(SHEET)
    (drawer / "sheet").chmod(0o600)
    shutil.rmtree(life)
    house.drop_databases()
    postgresql.ask(servers, f"DROP ROLE {ROLE}")
    Path(life).mkdir()
    (life / "root").mkdir()

    words = (
        "recover",
        "--from",
        place,
        "--passphrase-file",
        str(drawer / "sheet"),
        "--key-file",
        str(drawer / friend.key.name),
    )
    listed = server.call(*words, "--dry-run")
    assert "blog: " in listed and "wiki: " in listed and not etc.exists()
    said = server.call(*words, "--yes")
    assert "blog is back" in said and "wiki is back" in said and "left to do by hand" in said
    assert f"adduser --system --group {ROLE}" in said and "systemctl enable --now blog.service" not in said

    after = house.state()
    assert after["files"] == before["files"]
    assert after["mysql"] == before["mysql"]
    assert after["postgresql"][:3] == before["postgresql"][:3]
    assert after["sqlite"][0] == before["sqlite"][0]
    assert sorted(path.name for path in wiki.iterdir()) == pages
    assert json.loads((etc / "coloc.yml").read_text()) == data
    assert (etc / "passphrase").read_text() == SHEET and (etc / "token").read_text() == "token"
    assert (etc / "id_ed25519").read_bytes() == (drawer / friend.key.name).read_bytes()
    assert {file.stat().st_mode & 0o777 for file in etc.iterdir()} == {0o600}
    again = server.call(*words, "--yes")
    assert "blog was back already" in again
    server.call("backup")
    assert "read back" in server.call("archives", NAME)
    assert mysql.exists(servers, NAME)
