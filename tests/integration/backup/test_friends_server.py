"""A friend's server over a real sshd: our key, the host key that we know, and each way it can refuse."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backup.borg_errors import HostDown, HostRefused, NoBorgThere, PathRefused
from backup.hosts import check_hosts
from coloc.errors import ConfigError
from tests.fakes.backup_world import World
from tests.fakes.sshd import Sshd, free_port

Friend = Callable[..., Sshd]


def test_a_run_over_ssh_is_proven(world: World, friend: Friend) -> None:
    friend("alouette")
    world.app("blog", rows=20)
    night = world.run()
    assert night.ok, night
    assert world.facts("proof")[0].values["host"] == "alouette"


def test_a_friend_that_is_down_stops_nobody_and_comes_back(world: World, friend: Friend) -> None:
    server = friend("alouette")
    world.local_host("merle")
    world.app("blog")
    server.stop()
    night = world.run()
    assert {result.host: result.ok for result in night.results} == {"alouette": False, "merle": True}
    why = next(host.why for host in night.hosts if host.host == "alouette")
    assert why == "alouette: the host refuses connections — is it up, and is the port right?"
    server.start()
    assert world.run(hosts=["alouette"]).ok


def test_a_friend_that_dies_during_the_run_is_not_asked_again(world: World, friend: Friend) -> None:
    server = friend("alouette")
    world.app("blog")
    world.app("zoo")
    killed: list[str] = []

    def cut(step: object) -> None:
        if getattr(step, "what", "") == "readback" and not killed:
            killed.append("now")
            server.stop()

    night = world.run(on_progress=cut)
    assert [result.ok for result in night.results] == [False, False]
    assert night.results[0].failure == night.results[1].failure
    assert night.results[1].duration_seconds == 0


def test_each_refusal_has_its_own_word(world: World, friend: Friend, tmp_path: Path) -> None:
    good = friend("alouette")
    host = world.hosts["alouette"]

    other_key = tmp_path / "other" / "id_ed25519"
    other_key.parent.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other_key], check=True)
    impostor = tmp_path / "impostor_known_hosts"
    impostor.write_text(f"[127.0.0.1]:{good.port} {other_key.with_suffix('.pub').read_text()}")
    world.hosts["impostor"] = host | {"known_hosts_file": str(impostor)}
    world.hosts["denied"] = host | {"key_file": str(other_key), "known_hosts_file": str(good.known_hosts)}
    world.hosts["elsewhere"] = host | {"ssh": good.url(tmp_path / "elsewhere")}
    world.hosts["closed"] = host | {"ssh": f"ssh://root@127.0.0.1:{free_port()}/x"}
    friend("bare", serve="/nonexistent/borg serve")
    world.hosts["garbled"] = host | {"key_file": str(tmp_path / "garbled"), "known_hosts_file": str(good.known_hosts)}
    (tmp_path / "garbled").write_bytes(other_key.read_bytes()[:100])
    (tmp_path / "garbled").chmod(0o644)
    with pytest.raises(ConfigError, match=r"the ssh key .* can be read by others"):
        world.repository("garbled")
    (tmp_path / "garbled").chmod(0o600)
    with pytest.raises(HostRefused, match=r"^garbled: our ssh key cannot be read$"):
        world.repository("garbled").listing()
    for name, kind in (
        ("impostor", HostRefused),
        ("denied", HostRefused),
        ("elsewhere", PathRefused),
        ("closed", HostDown),
        ("bare", NoBorgThere),
    ):
        with pytest.raises(kind):
            world.repository(name).listing()


def test_check_says_how_each_host_is(world: World, friend: Friend) -> None:
    friend("alouette")
    path = world.local_host("merle")
    world.local_host("full-of-files").mkdir()
    (world.folder / "hosts" / "full-of-files" / "letter").write_text("")
    world.hosts["dead"] = {"path": "/nonexistent/folder/repository"}
    world.hosts["secretless"] = {"path": str(world.folder / "x"), "passphrase_file": "/nonexistent/secret"}
    said = {check.host: (check.ok, check.sentence) for check in check_hosts(world.config)}
    assert said["alouette"] == (True, "alouette: answers; the first backup will make the repository")
    assert said["merle"][0] and not path.exists()
    assert not said["full-of-files"][0]
    assert not said["dead"][0] and "does not exist" in said["dead"][1]
    assert not said["secretless"][0] and "/nonexistent/secret cannot be read" in said["secretless"][1]
    world.repository("merle").init()
    again = {check.host: check.sentence for check in check_hosts(world.config)}
    assert again["merle"] == "merle: answers, and the passphrase opens the repository"
