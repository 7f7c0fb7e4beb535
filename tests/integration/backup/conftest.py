"""Worlds, friends' servers and full disks for the tests of backups."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.cli import main
from tests.fakes.backup_world import World
from tests.fakes.sshd import Sshd


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def coloc(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call `coloc-agent` here; returns exit code, stdout, stderr."""

    def call(*argv: str) -> tuple[int, str, str]:
        path = world.folder / "coloc.yml"
        path.write_text(world.as_yaml())
        with pytest.raises(SystemExit) as caught:
            main(["--config", str(path), *argv])
        out, err = capsys.readouterr()
        return int(str(caught.value.code)), out, err

    return call


@pytest.fixture
def friend(world: World) -> Iterator[Callable[..., Sshd]]:
    """Make ssh hosts for the world; they end with the test."""
    servers: list[Sshd] = []

    def make(name: str, *, serve: str = f"{Path(sys.executable).parent}/borg serve") -> Sshd:
        repository = world.folder / "friends" / name
        repository.parent.mkdir(exist_ok=True)
        server = Sshd(world.folder / f"sshd-{name}", repository, serve=serve)
        server.start()
        servers.append(server)
        world.hosts[name] = {"ssh": server.url(repository), "key_file": str(server.key)}
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Mount small file systems in memory; only root can, and without it this test cannot say anything."""
    mounted: list[Path] = []

    def make(name: str, size: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], capture_output=True, text=True
        )
        assert done.returncode == 0, f"this test must mount a small tmpfs, and may not: {done.stderr} — run it as root"
        mounted.append(folder)
        return folder

    yield make
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", folder], check=True)
