"""Root's memory of backups is private, survives, and says what to do when it cannot be used; one run at a time."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup.borg_errors import BorgError
from backup.journal import open_journal
from backup.prune import refuse_lost, sets_of
from backup.run_lock import run_lock
from coloc.errors import ColocError, StateError

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
RUN = "20261123T023000Z-0a1b2c"


def test_it_remembers_and_only_root_can_read_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal")
    journal.remember_repository("merle", "/srv/merle", "abc")
    journal.remember_proven("merle", "blog", RUN, at=NOW, archives=["a", "b"], original_bytes=12)
    journal.close()
    again = open_journal(tmp_path / "journal")
    assert again.repository_id("merle", "/srv/merle") == "abc"
    assert again.repository_id("merle", "/elsewhere") is None
    assert again.proven("merle") == {("blog", RUN): frozenset({"a", "b"})}
    assert again.sizes("merle") == {("blog", RUN): 12}
    again.forget("merle", [("blog", RUN)])
    assert again.proven("merle") == {}
    again.forget_repository("merle")
    assert again.repository_id("merle", "/srv/merle") is None
    again.close()
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "journal" / "backups.db").stat().st_mode) == 0o600


def test_a_damaged_journal_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "backups.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(StateError, match="damaged") as caught:
        open_journal(tmp_path)
    assert "no archive is touched" in caught.value.hint


def test_a_journal_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        open_journal(tmp_path / "file" / "journal")


def test_the_second_run_is_told_who_holds_the_first(tmp_path: Path) -> None:
    with run_lock(tmp_path, "run 1", NOW):
        with pytest.raises(ColocError, match="at work already: run 1, process") as caught, run_lock(tmp_path, "x", NOW):
            pass
        assert caught.value.hint
    with run_lock(tmp_path, "run 2", NOW):
        pass


def test_sets_are_whole_proven_or_unfinished() -> None:
    files, dump = f"ruche.blog.{RUN}.files", f"ruche.blog.{RUN}.mysql.blog-00000000"
    known = {("blog", RUN): frozenset({files, dump})}
    (whole,) = sets_of("ruche", [dump, files, "other", f"autre.blog.{RUN}.files"], known)
    assert (whole.complete, whole.proven, whole.archives) == (True, True, (dump, files))
    (robbed,) = sets_of("ruche", [files], known)
    assert (robbed.complete, robbed.proven) == (True, False)
    (cut,) = sets_of("ruche", [dump, f"{files}.checkpoint"], {})
    assert (cut.complete, cut.proven, len(cut.archives)) == (False, False, 2)


def test_proven_archives_that_somebody_removed_stop_the_pruning() -> None:
    files, dump = f"ruche.blog.{RUN}.files", f"ruche.blog.{RUN}.mysql.blog-00000000"
    known = {("blog", RUN): frozenset({files, dump})}
    refuse_lost("merle", [files, dump, "other"], known)
    refuse_lost("merle", [], {})
    with pytest.raises(BorgError, match="1 proven backups are gone, and not by us; the newest is blog of 2026-11-23"):
        refuse_lost("merle", [files], known)
