"""The commands as people type them: what they print, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from backup.hosts import check_hosts
from backup.journal import open_journal
from backup.names import OWN
from backup.shrinking import Contents
from tests.fakes.backup_world import World

Coloc = Callable[..., tuple[int, str, str]]


def test_backup_archives_prune(world: World, coloc: Coloc) -> None:
    world.local_host("merle", keep={"last": 1, "daily": 0, "weekly": 0, "monthly": 0})
    world.backup["minimum"] = 1
    world.app("blog", rows=3)
    code, out, _ = coloc("backup", "--dry-run")
    assert code == 0
    assert "Simulation: nothing is saved. Hosts: merle" in out
    assert "folder    /var/www/blog" in out
    assert "database  sqlite /var/www/blog/notes.db" in out
    assert not (world.folder / "hosts" / "merle").exists()

    code, out, err = coloc("backup", "blog")
    assert (code, out.splitlines()[0].split()) == (0, ["app", "merle"])
    assert re.search(r"blog → merle: saved and read back \(.* kB, .* new, .* s\)", err)

    assert coloc("backup", "blog", "--nightly")[::2] == (0, "")
    code, out, _ = coloc("archives", "blog")
    assert code == 0
    assert len(re.findall(r"^blog +\d{4}-\d\d-\d\d \d\d:\d\d \+0[12]:00 +merle .* read back", out, re.M)) == 2
    data = json.loads(coloc("archives", "--json")[1])
    assert [each["proven"] for each in data["sets"]] == [True, True]
    assert data["sets"][0]["original_bytes"] > 8000

    code, out, _ = coloc("backup", "plan")
    assert code == 0
    assert re.search(r"merle: next night .* [+]0[12]:00; keeps 1 last, at least 1 proven\n", out)
    assert "archives that would be removed: 2" in out

    code, out, _ = coloc("prune", "--dry-run")
    assert code == 0
    assert re.search(r"keep +blog .*\(the newest proven, last 1\)", out)
    assert re.search(r"REMOVE +blog .*\(no rule keeps it\)", out)
    assert "archives that would be removed: 2" in out
    assert len(world.repository("merle").archives()) == 4
    assert "archives removed: 2" in coloc("prune")[1]
    assert len(world.repository("merle").archives()) == 2
    assert [fact.values["removed"] for fact in world.facts("prune")] == [2]


def test_failures_are_a_table_a_sentence_and_a_code(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    world.hosts["dead"] = {"path": "/nonexistent/folder/repository"}
    world.app("blog")
    world.app("gone")
    (world.root / "var/www/gone/index.php").unlink()
    (world.root / "var/www/gone").rmdir()
    code, out, err = coloc("backup")
    assert code == 1, err
    rows = [line.split() for line in out.splitlines()[:4]]
    assert rows[0] == ["app", "dead", "merle"]
    assert rows[1][:2] == ["blog", "FAILED"] and rows[1][2] != "FAILED"
    assert rows[2][0] == OWN  # what the agent itself needs comes along
    assert rows[3] == ["gone", "FAILED", "FAILED"]
    assert "! gone: its folder /var/www/gone does not exist — is a disk not mounted? was it moved?" in out
    assert out.count("! dead: the folder /nonexistent/folder does not exist") == 1
    code, out, err = coloc("archives")
    assert (code, "read back" in out, "! dead:" in err) == (1, True, True)


def test_the_agents_own_configuration_can_be_looked_at_and_proven_but_not_put_over_the_one_in_use(
    world: World, coloc: Coloc, tmp_path: Path
) -> None:
    world.local_host("merle")
    world.app("blog")
    code, out, err = coloc("backup")
    assert code == 0, out + err
    code, out, err = coloc("restore", OWN, "--to", str(tmp_path / "look"), "--yes")
    assert code == 0, out + err
    assert [file.read_bytes() for file in (tmp_path / "look").rglob("coloc.yml")] == [
        (world.folder / "coloc.yml").read_bytes()
    ]
    code, out, err = coloc("restore", OWN, "--yes")
    assert (code, "does not come back over the one in use" in err) == (1, True), err
    code, out, err = coloc("drill", OWN)
    assert code == 0, out + err


def test_a_repository_that_we_knew_and_that_is_gone_is_a_failure_of_check_and_archives(
    world: World, coloc: Coloc
) -> None:
    path = world.local_host("merle")
    world.app("blog")
    assert check_hosts(world.config)[0].sentence == "merle: answers; the first backup will make the repository"
    assert coloc("backup")[0] == 0
    code, _, err = coloc("archives", "NOPE")
    assert (code, "there is no app 'NOPE' here, and no archive of it" in err) == (1, True)
    path.rename(world.folder / "unmounted")
    code, out, err = coloc("archives")
    assert (code, out, "the repository that we know is gone — is its disk mounted?" in err) == (1, "", True)
    assert "backup --new-repository merle" in err
    assert [(check.ok, "is gone" in check.sentence) for check in check_hosts(world.config)] == [(False, True)]
    world.repository("merle").init()
    assert ["another repository lies" in check.sentence for check in check_hosts(world.config)] == [True]
    code, _, err = coloc("archives")
    assert (code, "another repository lies where ours was" in err) == (1, True)


def test_accepting_is_of_known_apps_and_no_simulation(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    world.app("blog")
    journal = open_journal(world.config.paths.journal)
    journal.remember_contents("merle", "blog", Contents(frozenset({"/var/www/blog"}), 5, 5))
    assert "there is no app 'blgo' here" in coloc("backup", "--shrunk", "blgo", "--dry-run")[2]
    assert coloc("backup", "--shrunk", "blog", "--dry-run")[0] == 0
    assert journal.contents("merle", "blog") is not None
    assert coloc("backup", "--shrunk", "blog", "--host", "nowhere")[0] == 2
    assert journal.contents("merle", "blog") is None
    journal.close()


def test_waiting_for_a_lock_is_said_with_who_holds_it(world: World) -> None:
    path = world.local_host("merle")
    world.repository("merle").base.mkdir(parents=True, mode=0o700)
    world.repository("merle").init()
    holder = path / "lock.exclusive" / f"friend@1.{os.getpid()}-0"  # of another computer: nobody may break it
    holder.parent.mkdir()
    holder.touch()
    (world.folder / "coloc.yml").write_text(world.as_yaml())
    argv = [sys.executable, "-m", "agent", "--config", str(world.folder / "coloc.yml"), "archives"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as agent:
        assert agent.stderr
        said = agent.stderr.readline()
        holder.unlink()
        holder.parent.rmdir()
        out, _ = agent.communicate(timeout=60)
    assert said.startswith(f"… waiting for merle: it is locked: {holder.name} (at most 30 s")
    assert (agent.returncode, out) == (0, "no archive\n")


def test_a_backup_that_waits_for_a_lock_says_so(world: World) -> None:
    path = world.local_host("merle")
    world.app("blog")
    world.repository("merle").base.mkdir(parents=True, mode=0o700)
    world.repository("merle").init()
    holder = path / "lock.exclusive" / f"friend@1.{os.getpid()}-0"
    holder.parent.mkdir()
    holder.touch()
    (world.folder / "coloc.yml").write_text(world.as_yaml())
    argv = [sys.executable, "-m", "agent", "--config", str(world.folder / "coloc.yml"), "backup"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as agent:
        assert agent.stderr
        said = agent.stderr.readline()
        holder.unlink()
        holder.parent.rmdir()
        out, _ = agent.communicate(timeout=120)
    assert said.startswith("… merle: no answer yet, or locked by somebody else")
    assert (agent.returncode, out.splitlines()[0].split()) == (0, ["app", "merle"])


def test_wrong_words_are_told_with_the_right_ones(world: World, coloc: Coloc) -> None:
    code, _, err = coloc("backup")
    assert (code, "coloc.yml names no backup host" in err) == (2, True)
    world.local_host("merle")
    world.app("blog")
    code, _, err = coloc("backup", "blgo")
    assert (code, "there is no app 'blgo' here — the apps are: blog" in err) == (1, True)
    code, _, err = coloc("backup", "--host", "pie")
    assert (code, "hosts in coloc.yml: merle" in err) == (2, True)


def test_ctrl_c_ends_in_order_and_keeps_what_was_sent(world: World) -> None:
    world.local_host("merle")
    world.app("blog")
    (world.root / "var/www/blog/film").write_bytes(os.urandom(90_000_000))
    (world.folder / "coloc.yml").write_text(world.as_yaml())
    argv = [sys.executable, "-m", "agent", "--config", str(world.folder / "coloc.yml"), "backup"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as agent:
        data = world.folder / "hosts/merle/data"
        deadline = time.monotonic() + 30
        while sum(file.stat().st_size for file in data.rglob("*") if file.is_file()) < 20_000_000:
            assert agent.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        agent.send_signal(signal.SIGINT)
        out, _ = agent.communicate(timeout=30)
    assert agent.returncode == 130
    assert "! the run was stopped before its end; what was sent is kept, run it again" in out
    assert any(archive.is_checkpoint for archive in world.repository("merle").archives())
