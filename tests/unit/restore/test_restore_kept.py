"""The way back needs what was replaced: without it nothing is touched, and it is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backup.exchange import identity_of
from backup.restore_journal import RestoreJournal, new_journal
from backup.restore_undo import Hands, undo
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from coloc.times import now_utc

ID = "20261123T023000Z-abcdef"


@pytest.fixture
def done(tmp_path: Path) -> RestoreJournal:
    """A restore of one folder that is done: /blog is new, what it was lies in /.coloc-replaced."""
    journal = new_journal(tmp_path / "journal", ID, app="blog", host="merle", run=ID, now=now_utc())
    journal.begin()
    live, stage, replaced = tmp_path / "blog", tmp_path / ".coloc-restore", tmp_path / ".coloc-replaced"
    live.mkdir()
    (live / "index").write_text("restored")
    (replaced / "blog").mkdir(parents=True)
    (replaced / "blog" / "index").write_text("before")
    identity = list(identity_of(live) or ())
    journal.step("stage", folder=str(stage))
    journal.step("exchange", new=str(stage / "blog"), target=str(live), identity=identity, sqlite=False, existed=True)
    journal.step("move", **{"from": str(stage), "to": str(replaced)})
    journal.end("done", now_utc())
    return journal


def test_with_what_was_replaced_it_is_taken_back(done: RestoreJournal, tmp_path: Path) -> None:
    undo(done, Hands(Servers()), now_utc())
    assert (tmp_path / "blog/index").read_text() == "before"
    assert done.state == "undone"


@pytest.mark.parametrize("gone", [".coloc-replaced", ".coloc-replaced/blog"])
def test_without_it_nothing_is_touched_and_it_is_said(done: RestoreJournal, tmp_path: Path, gone: str) -> None:
    shutil.rmtree(tmp_path / gone)
    with pytest.raises(ColocError, match=r"cannot be taken back: .*/\.coloc-replaced/blog, which it replaced, is gone"):
        undo(done, Hands(Servers()), now_utc())
    assert (tmp_path / "blog/index").read_text() == "restored"
    assert done.state == "done"


def test_an_undo_that_was_cut_off_never_moves_away_what_is_left(done: RestoreJournal, tmp_path: Path) -> None:
    done.state = "undoing"
    shutil.rmtree(tmp_path / ".coloc-replaced/blog")
    with pytest.raises(ColocError, match="which was replaced, is gone"):
        undo(done, Hands(Servers()), now_utc())
    assert (tmp_path / "blog/index").read_text() == "restored"
