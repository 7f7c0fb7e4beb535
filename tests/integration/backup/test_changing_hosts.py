"""A host moves, is replaced, leaves: nothing is dropped before a proven copy stands elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

from tests.fakes.backup_world import World
from tests.fakes.sshd import Sshd

Friend = Callable[..., Sshd]
Coloc = Callable[..., tuple[int, str, str]]


def test_a_host_that_moves_is_pinned_again_and_stays_the_same_repository(
    world: World, friend: Friend, coloc: Coloc
) -> None:
    path = world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    server = friend("merle")  # the same friend, on another machine
    new = world.hosts["merle"]
    moved = world.folder / "friends" / "merle"
    shutil.copytree(path, moved)
    server.known_hosts.write_text("")
    assert not world.run().ok
    assert "did it move? coloc-agent host move merle --to ssh://" in str(world.facts("host")[-1].values["why"])
    url = str(new["ssh"])
    code, _, err = coloc("host", "move", "merle", "--to", url, "--fingerprint", "SHA256:of-somebody-else")
    assert (code, "the server shows other keys: SHA256:" in err) == (1, True)
    assert server.known_hosts.read_text() == ""
    key = server.folder / "host_key.pub"
    printed = subprocess.run(["ssh-keygen", "-l", "-f", key], capture_output=True, text=True, check=True).stdout
    code, out, err = coloc("host", "move", "merle", "--to", url, "--fingerprint", printed.split()[1])
    assert (code, "[x] it is the same repository, with 1 archives" in out) == (0, True), err
    assert "[ ] in coloc.yml: backup: hosts: merle: ssh: ssh://" in out
    assert world.run().ok
    code, _, err = coloc("host", "move", "merle", "--to", str(world.folder / "elsewhere"))
    assert code == 1 and "there is no repository" in err


def test_a_host_is_dropped_only_when_every_app_is_proven_elsewhere(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    world.app("blog", rows=2)
    world.app("wiki")
    assert world.run().ok
    world.local_host("pie")
    code, _, err = coloc("host", "remove", "merle", "--yes")
    assert (code, "merle alone holds a proven backup of blog, wiki" in err) == (1, True)
    (world.root / "var/www/wiki").rename(world.folder / "wiki")
    code, out, _ = coloc("host", "replace", "merle", "--by", "pie")
    assert (code, "[ ] not yet there: wiki" in out) == (1, True)
    (world.folder / "wiki").rename(world.root / "var/www/wiki")
    code, out, _ = coloc("host", "replace", "merle", "--by", "pie")
    assert (code, "[x] every app is on pie, and was read back there" in out) == (0, True)
    code, out, _ = coloc("host", "remove", "merle", "--yes", "--delete")
    assert (code, "[x] our archives there are deleted: 3" in out) == (0, True), out
    assert world.repository("merle").archives() == ()
