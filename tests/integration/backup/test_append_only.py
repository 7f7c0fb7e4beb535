"""An append-only host: what an attacker deletes there comes back, and nothing is pruned before the book agrees."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from coloc.times import now_utc
from tests.fakes.backup_world import World
from tests.fakes.sshd import Sshd

Friend = Callable[..., Sshd]
Coloc = Callable[..., tuple[int, str, str]]


def append_only(world: World, server: Sshd, name: str) -> Path:
    """Our usual key may add and no more; the maintenance key may do everything."""
    maintenance = world.folder / "maintenance" / "key"
    maintenance.parent.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", maintenance], check=True)
    server.let_in_none()
    server.let_in(server.key.with_suffix(".pub").read_text(), options="--append-only")
    server.let_in(maintenance.with_suffix(".pub").read_text())
    world.hosts[name] |= {
        "append_only": True,
        "maintenance_key_file": str(maintenance),
        "keep": {"last": 1, "daily": 0, "weekly": 0, "monthly": 0},
    }
    world.backup["minimum"] = 1
    return maintenance


def names(world: World, host: str) -> set[str]:
    return {archive.name for archive in world.repository(host).archives()}


def test_pruning_wants_the_maintenance_key_and_a_book_that_agrees(world: World, friend: Friend, coloc: Coloc) -> None:
    append_only(world, friend("alouette"), "alouette")
    world.app("blog")
    assert world.run().ok
    assert world.run().ok
    before = names(world, "alouette")
    assert len(before) == 2, "a night prunes nothing there"
    code, _, err = coloc("prune", "--host", "alouette")
    assert (code, "is append-only, nothing is deleted there with our usual key" in err) == (1, True)

    victim = sorted(before)[0]
    world.repository("alouette").delete([victim])  # by somebody who has our usual key
    assert names(world, "alouette") == before - {victim}
    code, _, err = coloc("prune", "--host", "alouette", "--maintenance")
    assert (code, "gone, and not by us" in err, "coloc-agent host rollback alouette" in err) == (1, True, True)
    assert names(world, "alouette") == before - {victim}
    assert not world.run().ok
    assert "gone, and not by us" in str(world.facts("prune")[-1].values["failure"])


def test_a_repository_comes_back_after_an_attack(world: World, friend: Friend, coloc: Coloc) -> None:
    server = friend("alouette")
    append_only(world, server, "alouette")
    world.app("blog", rows=9)
    assert world.run().ok
    before = names(world, "alouette")
    time.sleep(1.1)  # transactions are told apart by whole seconds
    attacked_at = now_utc()
    time.sleep(1.1)
    world.repository("alouette").delete(sorted(before))
    world.repository("alouette").compact()
    assert names(world, "alouette") == set()
    script = world.folder / "rollback.sh"
    moment = (attacked_at - timedelta(seconds=0)).isoformat()
    code, _, err = coloc("host", "rollback", "alouette", "--before", moment, "--script", str(script))
    assert (code, "no prune and no compact before this is done" in err) == (0, True)
    told = subprocess.run(["sh", script], capture_output=True, text=True, check=True)
    assert "rolled back to transaction" in told.stdout
    code, out, err = coloc("host", "rollback", "alouette", "--done")
    assert (code, "[x] alouette answers, with 1 proven backups" in out) == (0, True), out + err
    assert names(world, "alouette") == before
    assert world.run().ok
    code, out, err = coloc("prune", "--host", "alouette", "--maintenance")
    assert (code, "archives removed: 2" in out) == (0, True), out + err
    assert not names(world, "alouette") & before
