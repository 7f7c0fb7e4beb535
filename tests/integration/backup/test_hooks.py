"""What is done before a backup is undone after it, however it ended: well, badly, or by kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from backup.hooks import Hooks, outside, undo_left
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.times import now_utc
from tests.fakes.backup_world import World
from tests.fakes.waiting import until


def script(file: Path, body: str) -> list[str]:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return [str(file)]


def configure(world: World, **hooks: list[str]) -> Path:
    data = yaml.safe_load(world.as_yaml())
    data["apps"]["blog"] |= hooks
    file = world.folder / "coloc.yml"
    file.write_text(yaml.safe_dump(data))
    file.chmod(0o600)
    return file


Made = Callable[..., tuple[Path, Config]]


@pytest.fixture
def made(world: World) -> Made:
    """A coloc.yml whose blog goes into maintenance: a file `on` is there meanwhile, and `log` says what was done."""

    def make(before: str = "", after: str = "") -> tuple[Path, Config]:
        world.local_host("merle")
        if "blog" not in world.apps:
            world.app("blog")
        top = world.folder
        file = configure(
            world,
            before_backup=script(top / "before", f"{before}\ntouch {top}/on; echo before >>{top}/log"),
            after_backup=script(top / "after", f"{after}\nrm -f {top}/on; echo after >>{top}/log"),
        )
        return file, parse_config(file.read_bytes(), "coloc.yml")

    return make


def backup(file: Path, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "agent", "--config", str(file), "backup", *arguments]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def log(world: World) -> list[str]:
    return (world.folder / "log").read_text().split() if (world.folder / "log").exists() else []


def test_a_run_that_is_killed_is_undone_within_a_minute(world: World, made: Made) -> None:
    file, _ = made()
    os.mkfifo(world.folder / "gate")
    script(
        world.folder / "before", f"touch {world.folder}/on; echo before >>{world.folder}/log; cat {world.folder}/gate"
    )
    run = backup(file)
    until(lambda: (world.folder / "on").exists(), seconds=60, what="the maintenance mode")
    run.send_signal(signal.SIGKILL)
    run.wait(30)
    until(lambda: not (world.folder / "on").exists(), seconds=60, what="the end of the maintenance mode")
    until(lambda: not list((world.folder / "journal/hooks").glob("*.json")), seconds=20, what="the word of it")
    assert log(world) == ["before", "after"]
    with (world.folder / "gate").open("w"):
        pass  # lets the hook that outlived its run go
    if run.stdout:
        run.stdout.close()


def test_a_good_run_does_both_once_and_a_failing_hook_fails_its_app_alone(world: World, made: Made) -> None:
    file, _ = made()
    world.app("wiki")
    world.local_host("pie")
    file, _ = made()
    run = backup(file)
    told, _ = run.communicate(timeout=300)
    assert run.returncode == 0, told
    assert log(world).count("before") == log(world).count("after") >= 1
    assert not (world.folder / "on").exists()
    (world.folder / "log").unlink()
    file, _ = made("echo the page is locked >&2; exit 4")
    run = backup(file, "--host", "merle")
    told, _ = run.communicate(timeout=300)
    assert run.returncode == 1
    assert "blog: its before_backup failed: before exited with 4 — the page is locked" in told
    assert log(world) == ["after"]


def hooks_of(config: Config, guards: list[Path]) -> Hooks:
    config.paths.journal.mkdir(exist_ok=True)
    return Hooks(config, now_utc, guard=guards.append)


def test_hosts_share_one_hook(world: World, made: Made) -> None:
    _, config = made()
    guards: list[Path] = []
    hooks = hooks_of(config, guards)
    with hooks.around("blog"):
        with hooks.around("blog"), hooks.around("wiki"):
            assert log(world) == ["before"]
        assert log(world) == ["before"]
        said = json.loads((config.paths.journal / "hooks/blog.json").read_text())
        assert said["after"] == [str(world.folder / "after")]
    assert log(world) == ["before", "after"]
    assert guards == [config.paths.journal]
    hooks.close()


def test_what_cannot_be_undone_is_told_and_tried_again(world: World, made: Made) -> None:
    _, config = made(after="exit 1")
    hooks = hooks_of(config, [])
    with pytest.raises(KeyError), hooks.around("blog"):
        raise KeyError
    hooks.close()
    assert "may still be in maintenance" in hooks.problems[0]
    assert undo_left(config.paths.journal) == hooks.problems
    script(world.folder / "after", f"rm {world.folder}/on")
    assert undo_left(config.paths.journal) == []
    assert not (world.folder / "on").exists()


def test_what_others_can_write_is_not_run(world: World, made: Made) -> None:
    file, config = made()
    (world.folder / "after").chmod(0o777)
    with pytest.raises(ColocError, match="others than root can change"), hooks_of(config, []).around("blog"):
        pytest.fail("it ran")
    assert log(world) == []
    (world.folder / "after").chmod(0o755)
    file.chmod(0o666)
    run = backup(file, "--undo-hooks")
    told, _ = run.communicate(timeout=60)
    assert run.returncode == 2 and "coloc.yml names commands that root runs" in told


def test_in_a_unit_a_hook_runs_outside_its_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    assert outside(("/x", "--on"), 60) == ["/x", "--on"]
    monkeypatch.setenv("INVOCATION_ID", "1")
    argv = outside(("/x", "--on"), 60)
    assert argv == ["/x", "--on"] or argv[-3:] == ["--", "/x", "--on"]
