"""On YunoHost an app's own script lays out its backup; one call feeds every host, and no "Success" is believed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from backup.manifest import Layout
from backup.restore_prepare import read_manifest
from coloc.model import DatabaseKind
from tests.fakes.backup_world import World
from tests.fakes.yunohost_server import MYSQL_DUMP, YunohostServer


@pytest.fixture
def server(world: World) -> YunohostServer:
    world.local_host("merle")
    server = YunohostServer(world)
    server.hooks()
    return server


def archive_of(server: YunohostServer, host: str, app: str) -> str:
    (name,) = [each.name for each in server.world.repository(host).archives() if f".{app}." in each.name]
    return name


def mounts_below(folder: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {folder}/" in line]


def test_one_call_feeds_every_host_and_its_dump_is_in_the_manifest(server: YunohostServer) -> None:
    server.world.local_host("pie")
    server.app("labphp", dump=MYSQL_DUMP.format(name="labphp"), data_dir="/home/yunohost.app/labphp")
    server.files.write("/home/yunohost.app/labphp/photo", b"x" * 5000)
    night = server.run()
    assert night.ok, night
    assert [(each.app, each.host) for each in night.results] == [("labphp", "merle"), ("labphp", "pie")]
    assert server.calls == ["--timeout 20 backup create --name coloc-labphp --methods coloc_agent --apps labphp "
                            "--output-as json"]  # fmt: skip
    for host in ("merle", "pie"):
        repository, archive = server.world.repository(host), archive_of(server, host, "labphp")
        manifest = read_manifest(repository, archive)
        (dump,) = manifest.databases
        assert manifest.layout is Layout.YUNOHOST
        assert (dump.kind, dump.name, dump.archive) == (DatabaseKind.MYSQL, "labphp", archive)
        assert (dump.file, dict(dump.tables)) == ("apps/labphp/backup/db.sql", {"notes": 2})
        members = {item.path for item in repository.items(archive)}
        assert {"info.json", "backup.csv", "apps/labphp/settings/settings.yml",
                "apps/labphp/backup/var/www/labphp/index.php",
                "apps/labphp/backup/home/yunohost.app/labphp/photo"} <= members  # fmt: skip
        assert manifest.member_of("home/yunohost.app/labphp/photo") in members
        assert all(sample.path in members for sample in manifest.samples)
    assert not mounts_below(server.root)
    assert not list((server.root / "home/yunohost.backup/tmp").iterdir())


def test_a_second_night_reads_nothing_again(server: YunohostServer) -> None:
    server.app("labphp")
    server.files.write("/var/www/labphp/big", bytes(range(256)) * 4000)
    time.sleep(1.1)  # Borg keeps no file in mind that is as new as the backup
    assert server.run().ok
    again = server.run()
    assert again.ok, again
    assert again.results[0].stored_bytes < 100_000


def test_a_database_that_the_script_does_not_dump_gets_an_archive_of_its_own(server: YunohostServer) -> None:
    server.app("labphp")
    subprocess.run(
        ["sqlite3", server.root / "var/www/labphp/notes.db", "CREATE TABLE n (a); INSERT INTO n VALUES (1), (2);"],
        check=True,
    )
    assert server.run().ok
    names = [each.name for each in server.world.repository("merle").archives()]
    assert len(names) == 2
    manifest = read_manifest(server.world.repository("merle"), next(name for name in names if name.endswith(".files")))
    (saved,) = manifest.databases
    assert (saved.kind, saved.member, dict(saved.tables)) == (DatabaseKind.SQLITE, "", {"n": 2})


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("false", "Failed to collect files to backed up for labphp"),
        ("sed -i /completed/d db.sql", "the dump db.sql of labphp has no end"),
        ('echo \'"/var/www/gone","apps/labphp/backup/var/www/gone"\' >> "$YNH_BACKUP_CSV"', ""),
    ],
)
def test_what_the_script_does_not_do_well_is_no_backup(server: YunohostServer, script: str, sentence: str) -> None:
    server.app("labphp", dump=MYSQL_DUMP.format(name="labphp"), script=script)
    night = server.run()
    assert not night.ok
    assert sentence in night.results[0].failure
    assert not server.world.repository("merle").archives()
    assert not mounts_below(server.root)


def test_a_method_that_yunohost_does_not_find_is_no_success(server: YunohostServer) -> None:
    """YunoHost says `Backup created` and 0, and has stored nothing."""
    server.app("labphp")
    for hook in (server.root / "etc/yunohost/hooks.d/backup_method").iterdir():
        hook.unlink()
    night = server.run()
    assert not night.ok
    assert "YunoHost ended without calling our method" in night.results[0].failure


def test_one_dead_host_does_not_take_the_others_with_it(server: YunohostServer) -> None:
    server.world.local_host("pie").mkdir(parents=True)
    (server.world.folder / "hosts/pie/README").write_text("somebody else's folder")
    server.app("labphp")
    server.app("other")
    night = server.run()
    good = [(each.app, each.host) for each in night.results if each.ok]
    assert good == [("labphp", "merle"), ("other", "merle")]


def test_another_operation_of_yunohost_is_waited_for(server: YunohostServer) -> None:
    server.app("labphp")
    server.app("slow", script="")
    (server.root / "etc/yunohost/apps/slow/scripts/upgrade").write_text("sleep 2\n")
    upgrade = subprocess.Popen([server.program, "app", "upgrade", "slow"], stdout=subprocess.DEVNULL)
    lock = server.root / "var/run/moulinette_yunohost.lock"
    while not lock.exists() or not lock.read_text():
        time.sleep(0.05)
    night = server.run(apps=["labphp"])
    assert upgrade.wait(timeout=60) == 0
    assert night.ok, night


def test_yunohosts_own_parts_are_an_archive_of_their_own(server: YunohostServer) -> None:
    server.world.backup["yunohost"] = {"program": str(server.program)}
    server.app("labphp")
    night = server.run()
    assert night.ok, night
    assert [each.app for each in night.results] == ["labphp", "yunohost__system"]
    repository, archive = server.world.repository("merle"), archive_of(server, "merle", "yunohost__system")
    members = {item.path for item in repository.items(archive)}
    assert {"conf/ldap/conf_ldap", "data/mail/data_mail", "info.json", "backup.csv", "coloc-manifest.json"} <= members
    assert server.run(apps=["labphp"]).ok
    assert len(server.calls) == 3


def test_do_not_backup_data_is_seen_and_told(server: YunohostServer) -> None:
    server.app("labphp", data_dir="/home/yunohost.app/labphp", do_not_backup_data=1)
    server.files.write("/home/yunohost.app/labphp/photo", "x")
    assert server.run().ok
    manifest = read_manifest(server.world.repository("merle"), archive_of(server, "merle", "labphp"))
    assert any("do_not_backup_data" in word for word in manifest.excluded)
    assert [folder.path for folder in manifest.folders] == ["/var/www/labphp"]
