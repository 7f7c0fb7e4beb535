"""`--to` takes a new or an empty folder that nobody else may write, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backup.restore_elsewhere import require_empty
from coloc.errors import ColocError


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
