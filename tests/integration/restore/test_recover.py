"""A lost server under YunoHost comes back from one place: its own parts first, each app as YunoHost makes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.fakes.backup_world import World
from tests.fakes.yunohost_server import YunohostServer

AGENT = Path(sys.executable).with_name("coloc-agent")
SYSTEM = "yunohost__system"


def recover(folder: Path, place: Path, *argv: str, expect: int = 0) -> str:
    words = [str(AGENT), "--config", str(folder / "coloc.yml"), "recover", "--from", str(place)]
    done = subprocess.run(
        [*words, "--passphrase-file", str(folder / "passphrase"), *argv],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def lost(tmp_path: Path) -> tuple[YunohostServer, Path]:
    """A server that was saved, and of which only the host's folder and `yunohost` are left."""
    world = World(tmp_path)
    place = world.local_host("merle")
    server = YunohostServer(world)
    server.world.backup["yunohost"] = {"program": str(server.program), "system": True, "lock_wait": "20s"}
    server.hooks()
    server.app("labphp")
    server.app("wiki")
    (tmp_path / "coloc.yml").write_text(world.as_yaml())
    (tmp_path / "coloc.yml").chmod(0o600)
    said = subprocess.run(
        [str(AGENT), "--config", str(tmp_path / "coloc.yml"), "backup"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    shutil.rmtree(world.root)
    for gone in ("coloc.yml", "journal", "facts", "state"):
        path = tmp_path / gone
        path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    world.root.mkdir()
    server.files.write("/etc/yunohost/installed", "")
    return server, place


def test_yunohosts_parts_come_first_and_each_app_through_yunohost(tmp_path: Path) -> None:
    server, place = lost(tmp_path)
    listed = recover(tmp_path, place, "--dry-run")
    assert listed.index(SYSTEM) < listed.index("labphp:") < listed.index("wiki:")
    assert "mail of this server are replaced, with no way back" in listed
    assert not (server.root / "var/www/labphp").exists() and server.calls == []

    said = recover(tmp_path, place, "--yes")
    assert f"{SYSTEM} is back\nlabphp is back\nwiki is back\nleft to do by hand" in said
    assert (server.root / "restored/conf/ldap/conf_ldap").read_text() == "conf_ldap of this server\n"
    assert (server.root / "var/www/labphp/index.php").read_text() == "<?php\n"
    assert (server.root / "etc/yunohost/apps/wiki/settings.yml").is_file()
    kinds = [call.partition("backup restore")[2].split()[1:] for call in server.calls if "backup restore" in call]
    assert [kind[:2] for kind in kinds] == [["--system", "--force"], ["--apps", "labphp"], ["--apps", "wiki"]]
    assert not any("backup create" in call for call in server.calls)  # nothing bare is the newest there now

    # What people changed since is not undone by the same command again.
    (server.root / "var/www/labphp/index.php").write_text("<?php // since\n")
    again = recover(tmp_path, place, "--yes")
    assert f"{SYSTEM} was back already\nlabphp was back already\nwiki was back already" in again
    assert (server.root / "var/www/labphp/index.php").read_text() == "<?php // since\n"


def test_without_yunohost_its_parts_are_left_out_and_said_to_be(tmp_path: Path) -> None:
    server, place = lost(tmp_path)
    (server.root / "etc/yunohost/installed").unlink()
    listed = recover(tmp_path, place, "--yes")
    assert "left out: YunoHost is not installed here" in listed
    assert f"{SYSTEM} is back" not in listed and "labphp is back" in listed
    assert (server.root / "var/www/labphp/index.php").read_text() == "<?php\n"


def test_a_place_without_repository_is_said_to_be_none(tmp_path: Path) -> None:
    World(tmp_path)
    said = recover(tmp_path, tmp_path / "nowhere", expect=1)
    assert f"there is no repository at {tmp_path}/nowhere — is it the address on the recovery sheet?" in said
