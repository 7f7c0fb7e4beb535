"""Archives in YunoHost's layout: in place for files and databases, and whole through YunoHost with a way back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.colocation import read_colocation
from backup.journal import open_journal
from backup.restore import Restoring
from backup.restore_plan import Only, Wish
from backup.restore_prepare import prepare
from coloc.databases import mysql
from coloc.databases.servers import Servers
from coloc.facts import Spool
from tests.fakes.backup_world import World
from tests.fakes.yunohost_server import YunohostServer

AGENT = Path(sys.executable).with_name("coloc-agent")
DATABASE = "labphp"


@pytest.fixture
def server(tmp_path: Path) -> YunohostServer:
    world = World(tmp_path)
    world.local_host("merle")
    server = YunohostServer(world)
    server.hooks()
    return server


@pytest.fixture
def database(servers: Servers) -> Iterator[Servers]:
    mysql.ask(servers, f"CREATE DATABASE {DATABASE}")
    mysql.ask(servers, "CREATE TABLE notes (id INT PRIMARY KEY); INSERT INTO notes VALUES (1), (2);", database=DATABASE)
    yield servers
    names = mysql.ask(servers, "SHOW DATABASES")
    for (name,) in names:
        if name.startswith(DATABASE):
            mysql.drop(servers, name)


def restore(server: YunohostServer, *argv: str, app: str = "labphp", expect: int = 0) -> str:
    config = server.world.folder / "coloc.yml"
    config.write_text(server.world.as_yaml())
    done = subprocess.run(
        [str(AGENT), "--config", str(config), "restore", app, *argv], capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def in_place(server: YunohostServer, only: Only = Only.ALL, path: str = "") -> None:
    config = server.world.config
    journal = open_journal(config.paths.journal)
    app = read_colocation(config).inventory.apps["labphp"]
    try:
        prepared = prepare(config, app, Wish("labphp", only, path), journal)
    finally:
        journal.close()
    Restoring(config, app, prepared, Spool(config.paths.facts), settle_seconds=0.0).go()


def test_files_and_databases_come_back_in_place(
    server: YunohostServer, database: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = " ".join(database.mysql_options())
    script = f"mariadb-dump {options} --single-transaction --skip-dump-date --routines {DATABASE} > db.sql"
    server.app("labphp", dump="", script=script)
    monkeypatch.setattr(World, "as_yaml", _with_servers(World.as_yaml, database))
    notes = server.root / "var/www/labphp/notes.db"
    subprocess.run(["sqlite3", notes, "CREATE TABLE n (a); INSERT INTO n VALUES (1);"], check=True)
    night = server.run()
    assert night.ok, night
    index = server.root / "var/www/labphp/index.php"
    index.write_text("defaced")
    subprocess.run(["sqlite3", notes, "DELETE FROM n;"], check=True)
    mysql.ask(database, "DELETE FROM notes; INSERT INTO notes VALUES (9);", database=DATABASE)

    in_place(server, Only.DATABASE)
    assert mysql.ask(database, "SELECT id FROM notes ORDER BY id", database=DATABASE) == [["1"], ["2"]]
    assert subprocess.run(["sqlite3", notes, "SELECT * FROM n"], capture_output=True, check=True).stdout == b"1\n"
    assert index.read_text() == "defaced"
    in_place(server, path="/var/www/labphp/index.php")
    assert index.read_text() == "<?php\n"
    index.write_text("defaced")
    nginx = server.root / "etc/nginx/conf.d/coloc.test.d/labphp.conf"
    nginx.unlink()
    in_place(server)
    assert index.read_text() == "<?php\n"
    assert nginx.read_text() == "location /labphp {}\n"
    assert subprocess.run(["sqlite3", notes, "SELECT * FROM n"], capture_output=True, check=True).stdout == b"1\n"


def _with_servers(as_yaml: object, servers: Servers) -> object:
    def whole(world: World) -> str:
        assert callable(as_yaml)
        sockets = {"mysql_socket": servers.mysql_socket, "mysql_defaults_file": servers.mysql_defaults_file}
        return f"{as_yaml(world)}\ndatabase_servers: {sockets}\n"

    return whole


def test_an_app_that_is_gone_comes_back_whole(server: YunohostServer) -> None:
    server.app("labphp")
    assert server.run().ok
    subprocess.run([server.program, "app", "remove", "labphp"], check=True, capture_output=True)
    assert "simulation" in restore(server, "--yunohost", "--dry-run").casefold()
    assert not (server.root / "var/www/labphp").exists()
    told = restore(server, "--yunohost", "--yes")
    assert "was restored by YunoHost" in told
    assert (server.root / "var/www/labphp/index.php").read_text() == "<?php\n"
    assert not list((server.root / "home/yunohost.backup/archives").iterdir())


def test_an_app_that_is_there_is_backed_up_first_and_put_back_when_its_restore_fails(server: YunohostServer) -> None:
    folder = server.app("labphp")
    good = (folder / "scripts/restore").read_text()
    (folder / "scripts/restore").write_text("false\n")  # the archive's own script does not work
    first = server.run()
    assert first.ok
    (folder / "scripts/restore").write_text(good)
    (server.root / "var/www/labphp/index.php").write_text("newer")
    told = restore(server, "--yunohost", "--yes", "--archive", first.results[0].archive, expect=1)
    assert "YunoHost could not restore labphp" in told
    assert "labphp was put back as it was" in told
    assert (server.root / "var/www/labphp/index.php").read_text() == "newer"
    assert not list((server.root / "home/yunohost.backup/archives").iterdir())
    assert not list((server.world.config.paths.journal / "restores").glob("*.note"))
    facts = server.world.facts("restore")
    assert [fact.values["ok"] for fact in facts] == [False]


def test_nothing_is_removed_when_the_app_cannot_be_backed_up_first(server: YunohostServer) -> None:
    folder = server.app("labphp")
    assert server.run().ok
    (folder / "scripts/backup").write_text("false\n")
    told = restore(server, "--yunohost", "--yes", expect=1)
    assert "could not be backed up first" in told
    assert "coloc-agent restore labphp" in told
    assert (server.root / "var/www/labphp/index.php").exists()
    assert not any("remove" in call for call in server.calls)


def test_a_whole_restore_that_was_cut_off_goes_on(server: YunohostServer) -> None:
    """After the removal there is nothing to back up: the archive of before is still the way back."""
    server.app("labphp")
    first = server.run().results[0].archive
    note = server.world.config.paths.journal / "restores/yunohost.labphp.note"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(
        f'{{"app": "labphp", "host": "merle", "archive": "{first}", "safety": "{first}", "step": "removing",'
        ' "began_at": "2026-11-23T02:30:00+00:00"}'
    )
    subprocess.run([server.program, "app", "remove", "labphp"], check=True, capture_output=True)
    told = restore(server, "--yunohost", "--yes")
    assert "was cut off; this one goes on" in told
    assert f"--archive {first}" in told
    assert (server.root / "var/www/labphp/index.php").exists()
    assert not note.exists()


def test_yunohosts_own_parts_come_back_on_a_bare_server(server: YunohostServer) -> None:
    server.world.backup["yunohost"] = {"program": str(server.program)}
    server.app("labphp")
    assert server.run().ok
    told = restore(server, "--yunohost", "--yes", app="yunohost__system")
    assert "certificates and mail of this server are replaced" in told
    assert (server.root / "restored/conf/ldap/conf_ldap").read_text() == "conf_ldap of this server\n"
    assert server.calls[-1].startswith("--timeout 20 backup restore coloc-restore-")
    assert "--system --force" in server.calls[-1]
    server.files.write("/etc/yunohost/installed", "")  # on a server that has them they are saved first
    told = restore(server, "--yunohost", "--yes", app="yunohost__system")
    assert "the way back: coloc-agent restore yunohost__system --yunohost --archive ruche.yunohost__system." in told
