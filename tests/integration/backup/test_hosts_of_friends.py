"""What a friend asks of us: hours, speed, room; a project's own repository; a host that comes back during the night."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from backup import host_time
from backup.borg_errors import Stopped
from backup.borg_output import Progress
from coloc.times import now_utc
from tests.fakes.backup_world import World
from tests.fakes.sshd import Sshd

Friend = Callable[..., Sshd]


def test_a_project_with_its_own_repository_is_in_no_shared_one(world: World) -> None:
    world.local_host("merle")
    own = world.passphrase("own", "of the project alone")
    world.local_host("merle-rosalinde", project="rosalinde", passphrase_file=str(own))
    world.app("blog")
    world.app("wiki")
    world.projects = {"rosalinde": ["wiki"]}
    assert world.run().ok
    held = {host: {archive.name.split(".")[1] for archive in world.repository(host).archives()} for host in world.hosts}
    assert held == {"merle": {"blog"}, "merle-rosalinde": {"wiki"}}


def test_a_host_that_comes_back_during_the_night_is_served(
    world: World, friend: Friend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_time, "_FIRST", 1.0)
    server = friend("alouette")
    world.app("blog")
    server.stop()
    waited = threading.Event()

    def come_back(step: object) -> None:
        if getattr(step, "what", "") == "waiting" and not waited.is_set():
            waited.set()
            server.start()

    night = world.run(nightly=True, on_progress=come_back)
    assert waited.is_set()
    assert night.ok, night


def test_a_window_that_closes_keeps_what_was_sent(world: World, friend: Friend) -> None:
    friend("alouette")
    film = os.urandom(100_000_000)
    world.app("blog")
    (world.root / "var/www/blog/film").write_bytes(film)
    world.hosts["alouette"] |= {"window": "01:00-05:00", "upload_limit": "1M/s"}
    began = now_utc()
    last_minute = (began.astimezone(world.config.zone) - timedelta(days=1)).replace(hour=4, minute=59, second=40)
    night = world.run(nightly=True, clock=lambda: last_minute.astimezone(UTC) + (now_utc() - began))
    # Twenty seconds to the end, then what Borg is given to send the piece under way and to write down what it has.
    assert (now_utc() - began).total_seconds() < 20 + 60
    assert not night.ok
    assert "blog was not finished: the window of alouette" in night.results[0].failure
    assert any(archive.is_checkpoint for archive in world.repository("alouette").archives())
    world.hosts["alouette"] = {
        key: value for key, value in world.hosts["alouette"].items() if key not in {"window", "upload_limit"}
    }
    again = world.run(nightly=True)
    assert again.ok
    assert again.results[0].stored_bytes < len(film)


def test_how_much_we_use_of_what_we_may_is_a_fact(world: World) -> None:
    world.local_host("merle", quota="100K")
    world.app("blog")
    (world.root / "var/www/blog/film").write_bytes(os.urandom(95_000))
    night = world.run()
    assert night.ok
    last = world.facts("host")[-1].values
    assert (last["quota_bytes"], int(str(last["used_bytes"])) > 95_000) == (100_000, True)
    assert "of what we may use there is used" in str(last["why"])


def serving(repository: Path) -> list[int]:
    """The processes of `borg serve` on a repository."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"serve" in words and str(repository).encode() in words:
                found.append(int(folder.name))
    return found


def test_a_server_that_freezes_is_given_up_and_the_next_try_goes_on(world: World, friend: Friend) -> None:
    friend("alouette")
    world.app("blog")
    (world.root / "var/www/blog/film").write_bytes(os.urandom(30_000_000))
    repository = replace(world.repository("alouette"), idle_timeout=4.0, upload_limit=2_000_000)
    repository.base.mkdir(parents=True, mode=0o700)
    repository.init()
    place = world.folder / "friends" / "alouette"
    frozen: list[int] = []

    def freeze(progress: Progress) -> None:
        if progress.done_bytes > 2_000_000 and not frozen:
            frozen.extend(serving(place))
            for process in frozen:
                os.kill(process, signal.SIGSTOP)

    source = str(world.root / "var/www/blog")
    with pytest.raises(Stopped, match="made no progress for 4 s"):
        repository.create("one", [source], on_progress=freeze)
    assert frozen
    for process in frozen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)
    assert world.run().ok
