"""A full disk, wherever it is, is one sentence; nothing is lost, and with room again the next run works."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backup.hosts import check_hosts
from tests.fakes.backup_world import World

SmallDisk = Callable[[str, str], Path]


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return filler


def test_a_full_host_keeps_what_it_has(world: World, small_disk: SmallDisk) -> None:
    disk = small_disk("disk", "12M")
    world.hosts["merle"] = {"path": str(disk / "merle")}
    world.local_host("alouette")
    world.app("blog")
    assert world.run().ok
    film = world.root / "var/www/blog/film"
    film.write_bytes(os.urandom(20_000_000))
    night = world.run()
    outcome = {result.host: result for result in night.results}
    assert outcome["alouette"].ok
    assert outcome["merle"].failure.startswith("merle: the disk of the repository is full")
    film.unlink()
    world.backup["exclude"] = []
    again = world.run(hosts=["merle"])
    assert again.ok, again
    assert len({name.name for name in world.repository("merle").archives() if name.name.endswith(".files")}) == 2


def test_a_full_spool_makes_the_run_fail_and_not_the_backups(world: World, small_disk: SmallDisk) -> None:
    disk = small_disk("facts", "256k")
    world.local_host("merle")
    world.app("blog")
    filler = fill(disk)
    night = world.run()
    assert [result.ok for result in night.results] == [True]
    assert not night.ok
    assert "cannot be written to" in night.problems[0]
    filler.unlink()
    assert world.run().ok


@pytest.mark.parametrize("moment", ["before", "during"])
def test_a_full_journal_is_said_and_the_next_run_works(world: World, small_disk: SmallDisk, moment: str) -> None:
    disk = small_disk("journal", "6M")
    world.local_host("merle")
    world.app("blog", rows=10)
    assert world.run().ok
    fillers: list[Path] = []

    def full(step: object) -> None:
        if getattr(step, "what", "") == "readback" and not fillers:
            fillers.append(fill(disk))

    if moment == "before":
        fillers.append(fill(disk))
    night = world.run(on_progress=full)
    assert not night.ok
    sentence = night.results[0].failure
    assert " — " in sentence, night
    assert "\n" not in sentence
    assert any(word in sentence for word in ("full", "cannot be used", "free some space"))
    fillers[0].unlink()
    assert world.run().ok


def test_a_host_that_may_not_be_written_is_one_sentence(world: World, small_disk: SmallDisk) -> None:
    disk = small_disk("disk", "30M")
    world.hosts["merle"] = {"path": str(disk / "merle")}
    world.app("blog")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert world.run().hosts[0].why.startswith(f"merle: {disk}/merle cannot be written by root — is its disk mounted")
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert world.run().ok
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    (check,) = check_hosts(world.config)
    assert not check.ok
    assert "cannot be written by root" in check.sentence
