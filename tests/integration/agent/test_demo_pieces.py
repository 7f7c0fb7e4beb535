"""The demo's pieces: a layout that can be laid twice, and a systemctl that touches only what is its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.demo.apps import APPS
from agent.demo.layout import lay_out, write_programs
from agent.demo.show import stop_all
from agent.demo.systemctl import DemoUnits
from backup.journal import open_journal
from coloc.command import run
from coloc.config.reading import load_config
from coloc.secrets import read_secret
from coloc.services import show
from coloc.times import now_utc

UNITS = [app.id for app in APPS if app.has_unit]


def until(holds: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def lay(folder: Path) -> Path:
    config = lay_out(folder, listen="127.0.0.1:0", language="fr")
    write_programs(folder, [sys.executable])
    return config


class Demo:
    """A laid out demo and its own systemctl."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.units = folder, DemoUnits(folder)
        lay(folder)

    def systemctl(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "bin" / "systemctl", *argv],
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )

    def processes(self) -> list[int]:
        """Every living process of our units, by the group that each one leads."""
        words = [path.read_bytes().split() for path in (self.folder / "run").glob("*.pid")]
        groups = [int(parts[0]) for parts in words if len(parts) == 2 and parts[0].isdigit()]
        return [pid for pid in groups if self._alive(pid)]

    @staticmethod
    def _alive(group: int) -> bool:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                return True
        return False


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "demo")
    groups: list[int] = []
    yield demo
    groups += demo.processes()
    for unit in demo.units.names():
        demo.units.stop(unit)
    assert not [group for group in groups if demo._alive(group)], "nothing is left behind"


def test_the_layout_is_a_configuration_that_can_be_used(tmp_path: Path) -> None:
    config = load_config(lay(tmp_path / "demo"))
    assert set(config.projects) == {"chorale", "velo", "tiers-lieu"}
    assert config.backup.passphrase_file is not None
    assert len(read_secret(config.backup.passphrase_file).reveal()) > 20
    for app in APPS:
        with closing(sqlite3.connect(config.root / "home/yunohost.app" / app.id / "data.sqlite")) as connection:
            assert connection.execute("SELECT count(*) FROM posts").fetchone()[0] == app.rows
        settings = config.root / "etc/yunohost/apps" / app.id / "settings.yml"
        assert stat.S_IMODE(settings.stat().st_mode) == 0o400


def test_laid_out_twice_the_passphrase_and_the_archives_stay_and_the_rest_is_new(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    lay(folder)
    passphrase = (folder / "secrets/passphrase").read_text()
    (folder / "hosts/archive").write_text("precious")
    (folder / "root/stray").touch()
    journal = open_journal(folder / "journal")
    journal.remember_night("merle", now_utc())
    journal.close()
    config = lay(folder)
    journal = open_journal(folder / "journal")
    assert journal.last_night("merle") is None  # the new demo backs up at once
    journal.close()
    assert (folder / "secrets/passphrase").read_text() == passphrase
    assert (folder / "hosts/archive").read_text() == "precious"
    assert not (folder / "root/stray").exists()
    assert load_config(config).coloc.name == "demo"


def test_a_folder_that_is_not_a_demo_is_never_emptied_or_opened_to_others(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "root").mkdir(parents=True)
    (mine / "root/precious").write_text("mine")
    mine.chmod(0o700)
    with pytest.raises(FileExistsError):
        lay(mine)
    assert (mine / "root/precious").read_text() == "mine"
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["it's a demo", "a: b #c", 'quo"te', "x, {y}", "été"])
def test_the_demo_may_lie_in_a_folder_with_any_name(tmp_path: Path, name: str) -> None:
    config = load_config(lay(tmp_path / name))
    assert config.root == tmp_path / name / "root"
    assert config.backup.hosts["merle"].path == tmp_path / name / "hosts/merle"
    demo = Demo(tmp_path / name)
    done = demo.systemctl("show", "--", "kanboard.service")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Id=kanboard.service" in done.stdout


def test_the_demo_brings_a_command_that_knows_it(demo: Demo) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    argv = [str(demo.folder / "bin/coloc-agent"), "apps"]
    done = subprocess.run(argv, cwd="/", env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "kanboard" in done.stdout


def test_the_servers_of_a_full_demo_that_was_killed_are_ended_too(demo: Demo) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as server:
        demo.units.note("prometheus", server.pid)
        stop_all(demo.units)
        assert server.wait(timeout=20) == -signal.SIGTERM


def test_units_are_started_shown_and_stopped(demo: Demo) -> None:
    assert sorted(UNITS) == demo.units.names()
    assert demo.systemctl("start", "--", "kanboard", "nextcloud.service").returncode == 0
    first = demo.units.pid("kanboard")
    assert demo.systemctl("start", "kanboard").returncode == 0
    assert demo.units.pid("kanboard") == first, "what runs is not started again"
    path = f"{demo.folder / 'bin'}:{os.environ['PATH']}"
    env = {"PATH": path, "PYTHONPATH": str(Path.cwd())}
    found = show(
        ["kanboard", "nextcloud", "mattermost", "nobody"],
        run=lambda argv, **options: run(["sh", "-c", 'exec "$@"', "sh", *argv], env=env, **options),
    )
    assert {name: unit.up for name, unit in found.items()} == {
        "kanboard": True, "nextcloud": True, "mattermost": False, "nobody": False,
    }  # fmt: skip
    assert (found["nobody"].load, found["kanboard"].main_pid) == ("not-found", first)
    demo.systemctl("restart", "kanboard")
    assert demo.units.pid("kanboard") not in {0, first}
    demo.systemctl("stop", "kanboard", "nextcloud")
    assert [demo.units.pid(unit) for unit in UNITS] == [0] * len(UNITS)
    assert until(lambda: demo.processes() == [])
    assert list((demo.folder / "run").iterdir()) == []


def test_a_unit_runs_under_the_account_of_its_app(demo: Demo) -> None:
    demo.systemctl("start", "kanboard")
    uid = Path(f"/proc/{demo.units.pid('kanboard')}").stat().st_uid
    assert uid == (next(app.uid for app in APPS if app.id == "kanboard") if os.geteuid() == 0 else os.geteuid())


def test_a_unit_that_does_not_exist_is_told_as_systemctl_would(demo: Demo) -> None:
    done = demo.systemctl("start", "nobody")
    assert (done.returncode, done.stderr) == (5, "Failed to start nobody.service: Unit nobody.service not found.\n")
    assert demo.systemctl("stop", "../../../etc/passwd").returncode == 5


def test_a_unit_that_was_killed_is_down_and_can_start_again(demo: Demo) -> None:
    demo.systemctl("start", "kanboard")
    os.killpg(demo.units.pid("kanboard"), signal.SIGKILL)
    assert until(lambda: demo.units.pid("kanboard") == 0)
    assert "ActiveState=inactive" in demo.systemctl("show", "kanboard").stdout
    demo.systemctl("start", "kanboard")
    assert demo.units.pid("kanboard") != 0


def test_a_pid_that_was_given_to_another_program_is_not_taken_for_ours(demo: Demo) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        (demo.folder / "run" / "kanboard.pid").write_text(f"{stranger.pid} 1")
        assert demo.units.pid("kanboard") == 0
        assert demo.systemctl("stop", "kanboard").returncode == 0
        assert stranger.poll() is None, "it lives"
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "x", "1", "1 2 3", "-1 5", "99999999999999999999 1", "0 ", "\udcff"])
def test_a_pid_file_that_is_nonsense_is_a_unit_that_is_down(demo: Demo, content: str) -> None:
    (demo.folder / "run" / "kanboard.pid").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert demo.units.pid("kanboard") == 0
