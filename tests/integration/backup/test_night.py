"""A run on real Borg repositories: what is saved, proven and written down; a dead host or app stops nobody."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from backup import ledger
from backup.app_run import AppRun
from backup.borg_output import Progress
from backup.journal import open_journal
from backup.manifest import MANIFEST, parse_manifest
from backup.names import new_run
from backup.night import Step
from backup.nightly import enter
from backup.plan import plan_app
from backup.restore_files import survey, verify
from backup.tree import Tree
from coloc.errors import ColocError, ConfigError
from coloc.times import now_utc
from tests.fakes.backup_world import World


def test_every_app_is_on_every_host_and_proven(world: World) -> None:
    world.local_host("merle")
    world.local_host("alouette")
    world.app("blog", rows=5)
    world.app("wordpress__2")
    night = world.run()
    assert night.ok, night
    assert {(result.app, result.host) for result in night.results} == {
        (app, host) for app in ("blog", "wordpress__2") for host in ("alouette", "merle")
    }
    assert len(world.facts("proof")) == 4
    assert [fact.values["ok"] for fact in world.facts("run_finished")] == [True]
    assert all(fact.values["bytes"] for fact in world.facts("backup"))
    assert not (world.config.paths.journal / "staging").exists()


def test_an_archive_holds_the_files_and_a_true_manifest(world: World) -> None:
    world.local_host("merle")
    world.app("blog", rows=123)
    night = world.run()
    repository = world.repository("merle")
    (archive,) = [result.archive for result in night.results]
    assert {item.path for item in repository.items(archive)} == {"var/www/blog", "var/www/blog/index.php", MANIFEST}
    pieces: list[bytes] = []
    repository.stream_member(archive, MANIFEST, pieces.append)
    manifest = parse_manifest(b"".join(pieces))
    assert (manifest.app, manifest.run, manifest.app_version) == ("blog", night.run, "1.0~ynh1")
    (database,) = manifest.databases
    assert dict(database.tables) == {"notes": 123}
    dump = world.folder / "dump.sqlite"
    repository.extract_member(database.archive, "dump.sqlite", dump)
    assert hashlib.sha256(dump.read_bytes()).hexdigest() == database.sha256
    with closing(sqlite3.connect(dump)) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (123,)


def test_files_come_out_as_they_went_in_whatever_their_names(world: World) -> None:
    world.local_host("merle")
    folder = "/var/www/- {now} ::'\"\n é*?[x] --exclude=x"
    world.apps["blog"] = replace(world.app("blog", rows=3), install_dir=folder, databases=())
    (world.root / "var/www/blog").rename(world.root / folder.lstrip("/"))
    home = world.root / folder.lstrip("/")
    for name in ("-rf", "é" * 127, "x" * 255, "{now}", "a::b", "re:.*", "sh:**", " ", "tail ", "a\\b", "*"):
        (home / name).write_text(name)
    odd = home / os.fsdecode(b"caf\xe9 {now} \n.txt")
    odd.write_bytes(b"odd")
    odd.chmod(0o640)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{(opened := os.open(home, os.O_RDONLY))}/socket")
        os.close(opened)
        os.mkfifo(home / "pipe")
        night = world.run()
    assert night.ok, night
    out = world.folder / "out"
    out.mkdir()
    repository, archive, member = world.repository("merle"), night.results[0].archive, folder.lstrip("/")
    assert survey(repository.items(archive), [member]).items == len(
        list(home.iterdir())
    )  # all but the socket, and itself
    repository.extract(archive, out, paths=[member])
    assert verify(repository.items(archive), out, [member]) == 0
    copy = out / member / odd.name
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (b"odd", 0o640)
    assert {path.name for path in (out / member).iterdir()} == {path.name for path in home.iterdir()} - {"socket"}


def test_a_dead_host_and_a_broken_app_stop_nobody(world: World) -> None:
    world.local_host("merle")
    world.hosts["dead"] = {"path": str(world.folder / "not-mounted" / "dead")}
    world.app("blog")
    world.app("gone")
    (world.root / "var/www/gone").rename(world.root / "var/www/elsewhere")
    night = world.run()
    assert not night.ok
    assert {(result.app, result.host): result.ok for result in night.results} == {
        ("blog", "merle"): True,
        ("blog", "dead"): False,
    }
    assert night.plan.failed[0].why.startswith("gone: its folder /var/www/gone does not exist — ")
    reachable = {fact.values["host"]: fact.values["reachable"] for fact in world.facts("host")}
    assert reachable == {"merle": True, "dead": False}
    assert [fact.values["ok"] for fact in world.facts("run_finished")] == [False]
    said = [str(fact.values["failure"]) for fact in world.facts("backup") if not fact.values["ok"]]
    assert all("\n" not in sentence and " — " in sentence for sentence in said)


def test_a_wrong_passphrase_is_said_and_harms_nothing(world: World) -> None:
    world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    world.passphrase("passphrase", "another one")
    night = world.run()
    assert night.hosts[0].why.startswith("merle: the passphrase does not open the repository")
    assert "another one" not in repr(night)
    world.passphrase("passphrase", "a good long passphrase")
    assert world.run().ok
    assert len(world.repository("merle").archives()) == 2


def test_the_passphrase_is_neither_in_argv_nor_in_the_environment(world: World) -> None:
    world.local_host("merle")
    world.app("blog", size=20_000_000)
    seen: list[bytes] = []

    def look(step: Step) -> None:
        if step.what != "files" or seen:
            return
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                except OSError:
                    continue
                if b"BORG_REPO=" + str(world.folder).encode() in text:
                    seen.append(text)

    assert world.run(on_progress=look).ok
    assert seen
    assert not any(b"good long" in text for text in seen)


def test_a_repository_that_vanished_or_was_replaced_is_not_made_again(world: World) -> None:
    path = world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    path.rename(world.folder / "unmounted")
    assert "the repository that we know is gone" in world.run().hosts[0].why
    assert not path.exists()
    world.repository("merle").init()
    assert "another repository lies where ours was" in world.run().hosts[0].why
    journal = open_journal(world.config.paths.journal)
    journal.forget_repository("merle")
    ledger.write(journal, ledger.Entry("merle", "anew", "", "", {}), now_utc())
    journal.close()
    assert world.run().ok


def test_a_lock_held_by_a_living_process_is_respected(world: World) -> None:
    path = world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    env = os.environ | {
        "BORG_PASSPHRASE": "a good long passphrase",
        "BORG_BASE_DIR": str(world.folder / "other-base"),
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    }
    program = f"{Path(sys.executable).parent}/borg"
    with subprocess.Popen([program, "with-lock", path, "sleep", "600"], env=env, start_new_session=True) as holder:
        try:
            deadline = time.monotonic() + 20
            while not (path / "lock.exclusive").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            night = world.run(lock_wait=1)
        finally:
            os.killpg(holder.pid, signal.SIGTERM)
    assert night.hosts[0].why.startswith("merle: the repository is locked by somebody else")
    assert world.run().ok


def test_an_archive_deleted_before_it_is_read_back_is_no_success(world: World) -> None:
    world.local_host("merle")
    world.app("blog")

    def rob(step: Step) -> None:
        if step.what == "readback":
            repository = world.repository("merle")
            repository.delete([each.name for each in repository.archives() if each.name.endswith(".files")])

    night = world.run(on_progress=rob)
    assert "is not in the repository any more" in night.results[0].failure
    assert world.facts("proof") == []
    assert world.run().ok


def test_a_dump_that_came_back_different_is_no_success(world: World) -> None:
    world.local_host("merle")
    world.app("blog", rows=5)

    def swap(step: Step) -> None:
        if step.what == "readback":
            repository = world.repository("merle")
            name = next(each.name for each in repository.archives() if ".sqlite." in each.name)
            repository.delete([name])
            repository.create_from_command(name, ["echo", "something else"], "dump.sqlite")

    assert "was replaced by another archive" in world.run(on_progress=swap).results[0].failure


def app_run(world: World, script: str) -> AppRun:
    repository = world.repository("merle")
    repository.base.mkdir(parents=True, exist_ok=True)
    journal = open_journal(world.config.paths.journal)
    enter(repository, journal)
    journal.close()
    plan = plan_app(world.config, world.apps["blog"], Tree(world.root))
    return AppRun(
        "ruche",
        new_run(now_utc()),
        plan,
        repository,
        world.folder / "staging",
        world.root,
        now_utc,
        lambda: 60.0,
        lambda step, progress: None,
        lambda spec: ["sh", "-c", script, "dump", str(spec)],
    )


def says(size: int, end: str, failure: str = "") -> str:
    """A dump program that writes "x" and claims something of it."""
    claim = f'{{"bytes": {size}, "sha256": "00", "tables": {{}}, "end_marker": {end}, "failure": "{failure}"}}'
    return f"echo x; echo '{claim}' > $(dirname $1)/result.json"


def test_a_dump_that_fails_half_way_leaves_no_archive(world: World) -> None:
    world.local_host("merle")
    world.app("blog", rows=5)
    for script, words in (
        ("head -c 3000000 /dev/zero; exit 3", "the dump failed, and nothing of it was kept"),
        ("head -c 3000000 /dev/zero; kill -9 $$", "the dump failed, and nothing of it was kept"),
        (f"{says(2, 'false', 'the server went away')}; exit 1", "blog: the server went away"),
    ):
        with pytest.raises(ColocError, match=words):
            app_run(world, script).save()
    assert world.repository("merle").archives() == ()
    assert list((world.folder / "staging").iterdir()) == []


def test_a_dump_that_lies_is_no_success(world: World) -> None:
    world.local_host("merle")
    world.app("blog", rows=5)
    for script, words in (
        ("echo x", "left no result"),
        (says(2, "false"), "not whole"),
        (says(9, "true"), "2 bytes were saved of 9"),
        (says(2, "true"), "came back different"),
    ):
        with pytest.raises(ColocError, match=words):
            app_run(world, script).save()


def test_an_archive_with_holes_is_no_success(world: World) -> None:
    world.local_host("merle")
    pictures = world.root / "home/pictures"
    pictures.mkdir(parents=True)
    world.apps["blog"] = replace(world.app("blog", rows=5), data_dir="/home/pictures")

    def unmount(step: Step) -> None:
        if step.what == "database" and pictures.exists():
            pictures.rename(world.folder / "unmounted")

    night = world.run(on_progress=unmount)
    assert night.results[0].failure == f"blog: {pictures} vanished during the backup — run it again"
    assert world.facts("proof") == []


def test_a_folder_that_is_suddenly_empty_is_a_failure_that_removes_nothing(world: World) -> None:
    world.local_host("merle", keep={"last": 1, "daily": 0, "weekly": 0, "monthly": 0})
    world.app("blog")
    world.app("zoo")
    assert world.run(apps=["blog"]).ok
    first = {archive.name for archive in world.repository("merle").archives()}
    page = world.root / "var/www/blog/index.php"
    page.rename(world.folder / "index.php")
    night = world.run()
    assert [result.ok for result in night.results] == [False, True]
    assert night.results[0].failure.startswith(
        "blog: /var/www/blog is empty, and held files at the last good backup — "
    )
    assert first <= {archive.name for archive in world.repository("merle").archives()}


def test_killed_in_the_middle_the_next_run_works(world: World) -> None:
    path = world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    (world.root / "var/www/blog/film").write_bytes(os.urandom(60_000_000))
    (world.folder / "coloc.yml").write_text(world.as_yaml())
    argv = [sys.executable, "-m", "agent", "--config", str(world.folder / "coloc.yml"), "backup"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as agent:
        borg = _wait_for_borg(path, ".files")
        os.kill(borg, signal.SIGKILL)
        agent.kill()
    assert (path / "lock.exclusive").exists()
    night = world.run()
    assert night.ok, night
    assert not (world.config.paths.journal / "staging").exists()


def _wait_for_borg(repository: Path, word: str) -> int:
    """The pid of the borg that makes an archive there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for process in Path("/proc").iterdir():
            try:
                environ, argv = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
            except OSError:
                continue
            ours = f"BORG_REPO={repository}".encode() in environ and b"\0create\0" in argv and word.encode() in argv
            if ours and (repository / "lock.exclusive").exists():
                return int(process.name)
        time.sleep(0.02)
    raise AssertionError("no borg create was seen")


def test_stopped_it_keeps_what_was_sent_and_says_so(world: World) -> None:
    world.local_host("merle")
    world.app("blog")
    world.app("zoo")
    (world.root / "var/www/blog/film").write_bytes(os.urandom(90_000_000))
    stop = threading.Event()

    def ask(step: Step) -> None:
        if step.what == "files" and step.progress and step.progress.done_bytes > 20_000_000:
            stop.set()

    began = time.monotonic()
    night = world.run(stop=stop, on_progress=ask)
    assert time.monotonic() - began < 30
    assert not night.ok
    assert "was asked to stop" in night.results[0].failure
    assert "the run was stopped before its end" in night.problems[0]
    assert [result.app for result in night.results] == ["blog"]
    assert [fact.values["stopped"] for fact in world.facts("run_finished")] == [True]
    assert any(archive.is_checkpoint for archive in world.repository("merle").archives())
    again = world.run()
    assert again.ok
    assert again.results[0].stored_bytes < 89_000_000
    assert not any(archive.is_checkpoint for archive in world.repository("merle").archives())


def test_what_the_time_does_not_allow_is_said(world: World) -> None:
    world.local_host("merle")
    world.app("blog")
    world.app("zoo")
    world.backup["max_duration"] = 0
    night = world.run()
    assert [result.failure for result in night.results] == ["not reached: the run took longer than 0 h"] * 2


def test_one_run_at_a_time(world: World) -> None:
    world.local_host("merle")
    world.app("blog")
    second: list[str] = []

    def try_again(step: Step) -> None:
        if step.what == "readback":
            try:
                world.run()
            except ColocError as error:
                second.append(error.sentence())

    assert world.run(on_progress=try_again).ok
    assert second[0].startswith("a backup is at work already: run ")


def test_a_run_for_one_app_and_host_neither_prunes_nor_counts_as_the_night(world: World) -> None:
    world.local_host("merle")
    world.local_host("alouette")
    world.app("blog")
    world.app("zoo")
    night = world.run(apps=["zoo"], hosts=["merle"])
    assert [(result.app, result.host, result.ok) for result in night.results] == [("zoo", "merle", True)]
    assert world.facts("run_started") == world.facts("run_finished") == world.facts("prune") == []
    with pytest.raises(ConfigError, match="there is no backup host 'pie'"):
        world.run(hosts=["pie"])


def test_retention_removes_whole_sets_and_never_the_last(world: World) -> None:
    world.local_host("merle", keep={"last": 1, "daily": 0, "weekly": 0, "monthly": 0})
    world.backup["minimum"] = 1
    world.app("blog", rows=5)
    nights = [world.run() for _ in range(2)]
    assert [night.hosts[0].removed for night in nights] == [0, 2]
    del world.apps["blog"]
    world.app("other")
    assert world.run().hosts[0].removed == 0
    left = {archive.name.split(".")[2] for archive in world.repository("merle").archives() if ".blog." in archive.name}
    assert left == {nights[-1].run}


def test_exclusions_of_the_config_leave_the_manifest_alone(world: World) -> None:
    world.local_host("merle")
    world.app("blog")
    (world.root / "var/www/blog/cache.json").write_text("{}")
    world.backup["exclude"] = ["*.json"]
    night = world.run()
    assert night.ok
    repository = world.repository("merle")
    repository.check(only="archives", newest=1, verify_data=True)
    repository.export_key(world.folder / "key")
    assert (world.folder / "key").read_text().startswith("BORG_KEY ")
    assert repository.info().unique_bytes > 0
    paths = {item.path for item in repository.items(night.results[0].archive)}
    assert MANIFEST in paths
    assert "var/www/blog/cache.json" not in paths


def test_unchanged_files_are_not_sent_again(world: World) -> None:
    world.local_host("merle")
    world.app("blog")
    (world.root / "var/www/blog/film").write_bytes(os.urandom(5_000_000))
    seen: list[Progress] = []
    assert world.run().results[0].stored_bytes > 5_000_000
    night = world.run(on_progress=lambda step: seen.append(step.progress) if step.progress else None)
    assert night.results[0].stored_bytes < 50_000
    assert json.dumps([fact.values["bytes"] for fact in world.facts("backup")])
