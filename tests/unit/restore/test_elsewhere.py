"""`--to` takes a new or an empty folder that nobody else may write, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from backup.borg import Repository
from backup.borg_output import Item
from backup.manifest import Manifest, SavedDatabase
from backup.restore_elsewhere import require_empty, restore_to
from backup.restore_files import Listed
from backup.restore_plan import Candidate, RestorePlan, Target, Wish
from backup.restore_prepare import Prepared
from backup.retention import ArchiveSet
from coloc.errors import ColocError
from coloc.model import DatabaseKind
from coloc.times import now_utc


def _full(folder: Path) -> None:
    folder.mkdir()
    (folder / ".hidden").touch()


def _open(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def _link(folder: Path) -> None:
    folder.symlink_to(folder.parent)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_full, "is not empty"),
        (_open, "others may write in"),
        (_link, "is not a folder"),
        (Path.touch, "is not a fold"),
    ],
)
def test_what_is_not_a_private_empty_folder_is_refused(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    make(tmp_path / "there")
    with pytest.raises(ColocError, match=why) as caught:
        require_empty(tmp_path / "there")
    assert caught.value.hint


def test_a_new_or_an_empty_folder_is_fine(tmp_path: Path) -> None:
    require_empty(tmp_path)
    require_empty(tmp_path / "new")
    with pytest.raises(ColocError, match="does not exist"):
        require_empty(tmp_path / "no" / "such")


@dataclass(frozen=True)
class Hostile:
    """A repository whose archive is a link named like the folder of the dumps."""

    leads_to: Path

    def extract(self, _archive: str, into: Path, **_: object) -> None:
        (into / "databases").symlink_to(self.leads_to)

    def items(self, _archive: str) -> list[Item]:
        return [Item("databases", "l", "lrwxrwxrwx", "", "", 0, 0, 0, str(self.leads_to))]


def test_no_dump_is_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    outside, there = tmp_path / "outside", tmp_path / "there"
    outside.mkdir()
    database = SavedDatabase(DatabaseKind.MYSQL, "blog", "dump", 1, "", {}, True)
    candidate = Candidate("merle", ArchiveSet("blog", "run", now_utc(), ("files",), complete=True, proven=True))
    manifest = Manifest("rosa", "blog", "run", now_utc(), "1", None, "Blog", None, (), (), (database,), ())
    plan = RestorePlan(Wish("blog"), candidate, "files", manifest, (Target("databases"),), (database,), ())
    prepared = Prepared(plan, cast(Repository, Hostile(outside)), Listed(1, {}), ())
    with pytest.raises(ColocError, match="the archive holds 'databases' itself"):
        restore_to(prepared, there, numeric_ids=True)
    assert list(outside.iterdir()) == []
    assert not there.exists()
