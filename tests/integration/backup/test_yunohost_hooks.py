"""A backup before an upgrade never stops it; a kill leaves nothing behind; Debian's Borg alone reads what we wrote."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from backup.journal import open_journal
from backup.pause import pause_until, paused_until, resume
from coloc.times import now_utc
from tests.fakes.backup_world import World
from tests.fakes.yunohost_server import MYSQL_DUMP, YunohostServer

AGENT = Path(sys.executable).with_name("coloc-agent")
CAPTURED = Path(__file__).parents[2] / "captured/yunohost/commands"


@pytest.fixture
def server(world: World) -> YunohostServer:
    world.local_host("merle")
    server = YunohostServer(world)
    world.backup["yunohost"] = {**world.backup["yunohost"], "fresh": "1h"}  # type: ignore[dict-item]
    return server


def agent(server: YunohostServer, *argv: str) -> list[str]:
    config = server.world.folder / "coloc.yml"
    config.write_text(server.world.as_yaml())
    return [str(AGENT), "--config", str(config), "backup", *argv]


def upgrade(server: YunohostServer, app: str) -> str:
    done = subprocess.run(
        [server.program, "app", "upgrade", app], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (server.root / f"var/www/{app}/version").read_text() == "upgraded\n"
    return done.stderr


def proven(server: YunohostServer) -> list[str]:
    journal = open_journal(server.world.config.paths.journal)
    try:
        return [app for app, _ in journal.proven("merle")]
    finally:
        journal.close()


def wait_until_tidy(server: YunohostServer) -> None:
    end = time.monotonic() + 120
    folder = server.root / "home/yunohost.backup/tmp"
    while f" {folder}/" in Path("/proc/self/mountinfo").read_text() or (folder.is_dir() and any(folder.iterdir())):
        assert time.monotonic() < end, "what was killed is not tidied up"
        time.sleep(0.2)


def test_an_upgrade_begins_with_a_fresh_proven_backup(server: YunohostServer) -> None:
    server.app("labphp")
    server.hooks(*agent(server, "before-upgrade"), before_upgrade=200)
    upgrade(server, "labphp")
    assert proven(server) == ["labphp"]
    upgrade(server, "labphp")  # that one is fresh: no second
    assert proven(server) == ["labphp"]
    assert len(server.calls) == 3


def test_an_upgrade_waits_no_longer_than_it_was_told_and_never_fails_for_it(server: YunohostServer) -> None:
    server.app("labphp", script="sleep 30")
    server.hooks(*agent(server, "before-upgrade"), before_upgrade=4)
    began = time.monotonic()
    told = upgrade(server, "labphp")
    assert "no fresh backup was made before this upgrade" in told
    assert time.monotonic() - began < 29
    assert proven(server) == []
    wait_until_tidy(server)


def test_a_run_that_is_killed_leaves_nothing_mounted_and_the_next_one_succeeds(server: YunohostServer) -> None:
    folder = server.app("labphp", script="sleep 2")
    server.hooks()
    running = subprocess.Popen(agent(server, "labphp"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (server.root / "home/yunohost.backup/tmp/coloc-labphp").exists():
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    wait_until_tidy(server)
    script = folder / "scripts/backup"
    script.write_text(script.read_text().replace("sleep 2", ""))
    assert server.run(apps=["labphp"]).ok


def test_a_pause_stops_the_run_before_its_next_app(server: YunohostServer) -> None:
    server.app("labphp")
    server.app("other")
    server.hooks()
    journal = server.world.config.paths.journal
    told, finished = threading.Event(), []

    def watch(step: object) -> None:
        if getattr(step, "what", "") == "done":
            pause_until(journal, now_utc() + timedelta(hours=2))
        if getattr(step, "what", "") == "paused":
            told.set()

    thread = threading.Thread(target=lambda: finished.append(server.run(on_progress=watch)))
    thread.start()
    assert told.wait(120)
    assert proven(server) == ["labphp"]
    assert resume(journal)
    thread.join(120)
    assert finished[0].ok, finished
    assert sorted(proven(server)) == ["labphp", "other"]


def test_pause_and_resume_are_commands(server: YunohostServer) -> None:
    journal, now = server.world.config.paths.journal, now_utc()
    done = subprocess.run(agent(server, "pause", "2h"), capture_output=True, text=True, check=True)
    assert "The nightly run rests" in done.stdout
    end = paused_until(journal, now)
    assert end is not None
    assert timedelta(minutes=119) < end - now < timedelta(minutes=123)
    assert paused_until(journal, end + timedelta(seconds=1)) is None
    for wrong in ("soon", "2d", "0"):
        bad = subprocess.run(agent(server, "pause", wrong), capture_output=True, text=True, check=False)
        assert (bad.returncode, "coloc-agent backup pause 2h" in bad.stderr) == (1, True)
    subprocess.run(agent(server, "resume"), check=True, capture_output=True)
    assert paused_until(journal, now) is None


def test_the_hooks_are_written_once_and_taken_away(server: YunohostServer) -> None:
    done = subprocess.run(agent(server, "hooks"), capture_output=True, text=True, check=True)
    written = sorted((server.root / "etc/yunohost/hooks.d").glob("*/*"))
    assert [path.parent.name for path in written] == ["backup_method", "pre_app_upgrade"]
    assert done.stdout.count("written: ") == 2
    assert subprocess.run(agent(server, "hooks"), capture_output=True, check=True).stdout == b""
    written[0].chmod(0o777)  # others may change it: it is written again
    assert subprocess.run(agent(server, "hooks"), capture_output=True, check=True).stdout
    assert written[0].stat().st_mode & 0o777 == 0o755
    subprocess.run(agent(server, "hooks", "--remove"), capture_output=True, check=True)
    assert not list((server.root / "etc/yunohost/hooks.d").glob("*/*"))


def test_our_method_called_by_hand_is_no_success(server: YunohostServer) -> None:
    server.app("labphp")
    server.hooks()
    server.world.config.paths.journal.mkdir(parents=True)
    argv = [str(server.program), "backup", "create", "-n", "x", "--methods", "coloc_agent", "--apps", "labphp"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no run of coloc-agent waits for this backup" in done.stderr


def listed_by_yunohost() -> dict[str, str]:
    """Member → mode of what YunoHost and Borg wrote on a running server."""
    lines = (CAPTURED / "borg_list_labphp_archive.txt").read_text().splitlines()
    found = {}
    for line in lines:
        match = re.match(r"(\S+) +\S+ +\S+ +\d+ \w+, \S+ \S+ (.*)", line)
        assert match, line
        found[match[2]] = match[1]
    return found


def test_debians_borg_alone_takes_out_what_yunohost_would_have_written(server: YunohostServer) -> None:
    borg = Path("/usr/bin/borg")
    assert borg.exists(), "apt install borgbackup"
    expected = listed_by_yunohost()
    folder = server.app("labphp", dump=MYSQL_DUMP.format(name="labphp"), data_dir="/home/yunohost.app/labphp")
    lay_out_as_captured(server, folder, expected)
    server.hooks()
    night = server.run()
    assert night.ok, night
    (repository,) = [server.world.folder / "hosts/merle"]
    env = {
        "PATH": "/usr/bin:/bin",
        "BORG_REPO": str(repository),
        "BORG_PASSPHRASE": "a good long passphrase",
        "BORG_BASE_DIR": str(server.world.folder / "another-borg"),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    }
    assert subprocess.run([borg, "--version"], capture_output=True, text=True, check=True).stdout == "borg 1.2.4\n"
    tar = server.root / "home/yunohost.backup/archives/labphp.tar"
    tar.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/usr/bin/borg", "export-tar", f"::{night.results[0].archive}", str(tar)], env=env, check=True)
    with tarfile.open(tar) as opened:
        found = {member.name for member in opened.getmembers()}
    assert found - {"coloc-manifest.json"} == {name for name in expected if name != "."}
    # And YunoHost takes it: the app is removed and brought back from it.
    subprocess.run([server.program, "app", "remove", "labphp"], check=True, capture_output=True)
    assert not (server.root / "var/www/labphp").exists()
    subprocess.run([server.program, "backup", "restore", "labphp", "--apps", "labphp"], check=True, capture_output=True)
    assert (server.root / "var/www/labphp/index.php").exists()


def lay_out_as_captured(server: YunohostServer, folder: Path, listed: dict[str, str]) -> None:
    """The files of the app on the running server, and a script that saves what its script saved."""
    (folder / "scripts/dump.sql").rename(server.world.folder / "dump.sql")
    rows = (CAPTURED / "lab_tar_backup.csv").read_text().splitlines()
    sources = [row.split('"')[1] for row in rows if "apps/labphp/backup/" in row]
    for member, mode in listed.items():
        settings, path = member.removeprefix("apps/labphp/settings/"), member.removeprefix("apps/labphp/backup/")
        if mode.startswith("d"):
            if path != member and any(f"/{path}".startswith(source) for source in sources):
                (server.root / path).mkdir(parents=True, exist_ok=True)
            elif settings != member:
                (folder / settings).mkdir(exist_ok=True)
        elif settings != member and not (folder / settings).exists():
            (folder / settings).write_text("")
        elif path not in {member, "db.sql"}:
            server.files.write(path, "x")
    saves = [f"ynh_backup {source}" for source in sources]
    dump = f"cat {server.world.folder}/dump.sql > db.sql"
    (folder / "scripts/backup").write_text("\n".join([*saves, dump]) + "\n")
