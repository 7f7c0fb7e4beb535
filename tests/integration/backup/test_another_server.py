"""A server that is not itself: put back to an older day, or copied. Nothing is removed or lost, and it is said once."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest

from backup import ledger
from backup.journal import open_journal
from coloc.errors import ColocError
from tests.fakes.backup_world import World

Coloc = Callable[..., tuple[int, str, str]]


def machine(world: World, number: str) -> None:
    file = world.root / "etc/machine-id"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{number}\n")


def test_a_server_put_back_to_an_older_day_removes_nothing(world: World, coloc: Coloc) -> None:
    world.local_host("merle", keep={"last": 1, "daily": 0, "weekly": 0, "monthly": 0})
    world.backup["minimum"] = 1
    world.app("blog")
    assert world.run().ok
    journal, older = world.config.paths.journal, world.folder / "snapshot"
    shutil.copytree(journal, older)
    assert world.run().ok
    shutil.rmtree(journal)
    shutil.copytree(older, journal)
    night = world.run()
    assert all(result.ok for result in night.results), "backups are added all the same"
    assert not night.ok
    assert "was this server put back to an older day" in night.problems[0]
    assert len(world.repository("merle").archives()) == 2
    code, _, err = coloc("prune")
    assert (code, "our book does not know" in err) == (1, True)
    code, out, _ = coloc("adopt", "--dry-run")
    assert (code, "our book does not know" in out) == (0, True)
    assert coloc("adopt", "--yes")[0] == 0
    assert world.run().ok
    assert len(world.repository("merle").archives()) == 1


def test_a_deletion_that_was_cut_off_is_done_again_and_is_no_surprise(world: World) -> None:
    world.local_host("merle", keep={"last": 1, "daily": 0, "weekly": 0, "monthly": 0})
    world.backup["minimum"] = 1
    world.app("blog")
    assert world.run().ok
    journal = open_journal(world.config.paths.journal)
    (run,) = {run for _, run in journal.proven("merle")}
    # As far as prune comes when the link is cut before the host has deleted anything.
    ledger.write(journal, ledger.Entry("merle", "removed", "blog", run, {}), datetime.now(UTC))
    journal.forget("merle", [("blog", run)])
    journal.close()
    assert world.run().ok
    assert not any(run in each.name for each in world.repository("merle").archives())


def test_a_copy_of_the_server_neither_saves_nor_removes(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    world.app("blog")
    machine(world, "1" * 32)
    assert world.run().ok
    machine(world, "2" * 32)
    with pytest.raises(ColocError, match="this server is a copy"):
        world.run()
    for argv in (["prune"], ["forget", "wiki", "--now", "--yes"], ["key", "export"]):
        code, _, err = coloc(*argv)
        assert (code, "this server is a copy" in err) == (1, True), argv
    assert len(world.repository("merle").archives()) == 1
    code, out, _ = coloc("adopt", "--yes")
    assert (code, "adopted" in out) == (0, True)
    assert len(world.facts("adopted")) == 1
    assert world.run().ok
    assert "there is nothing to adopt" in coloc("adopt", "--yes")[1]


def test_a_book_that_was_edited_stops_every_removal_until_a_person_says_so(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    journal = open_journal(world.config.paths.journal)
    journal.ask("UPDATE ledger SET app = 'blag' WHERE what = 'begun'")
    journal.close()
    night = world.run()
    assert (night.ok, "was changed by somebody else, at line 1" in night.problems[0]) == (False, True)
    assert coloc("adopt", "--yes")[0] == 0
    assert world.run().ok


def test_a_journal_of_an_earlier_version_takes_its_archives_as_known(world: World) -> None:
    world.local_host("merle", keep={"last": 1, "daily": 0, "weekly": 0, "monthly": 0})
    world.backup["minimum"] = 1
    world.app("blog")
    assert world.run().ok
    folder = world.config.paths.journal
    (folder / "book.key").unlink()
    with closing(sqlite3.connect(folder / "backups.db")) as connection:
        connection.executescript("DROP TABLE ledger; DROP TABLE self; DROP TABLE left_apps; DROP TABLE forgetting;")
        connection.executescript("PRAGMA user_version = 3;")
    assert world.run().ok
    assert len(world.repository("merle").archives()) == 1, "the earlier one was pruned: it was known"
