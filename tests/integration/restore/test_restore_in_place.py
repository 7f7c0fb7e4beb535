"""Where room is missing: files are written over in place, without a way back, and what was cut off only goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.cli import cli
from backup.borg import Repository
from backup.restore_in_place import InPlace, folders_of, growth, spaces_in_place
from backup.restore_journal import journals
from backup.restore_plan import Only
from backup.restore_unfinished import last_restore, undo_restore
from coloc.errors import ColocError
from tests.integration.restore.house import NAME, House


class Dying:
    """A repository whose link is cut in the middle of the files."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)

    def extract(self, archive: str, into: Path, **more: Any) -> None:
        if "coloc-in-place" in into.name:
            (into / "var/www/blog/half").write_text("written before the link was cut")
            raise ColocError("the link was cut", hint="try again")
        self._repository.extract(archive, into, **more)


def call(house: House, *words: str) -> object:
    return cli.main(["--config", str(house.folder / "coloc.yml"), "restore", *words], standalone_mode=False)


def test_it_goes_on_after_a_cut_and_has_no_way_back(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    before = house.state()
    house.change()
    (house.app_folder / "data/was a file").mkdir()
    (house.app_folder / "pipe").unlink()
    (house.app_folder / "pipe").symlink_to("/etc")
    prepared = house.prepare()
    (place,) = folders_of(prepared)
    assert growth(prepared.repository.items(prepared.plan.files_archive), place) < 6_000_000
    assert spaces_in_place(house.config, prepared)
    for words in ((), ("--confirm", "blok")):
        if words:
            assert call(house, NAME, "--in-place", *words) == 1
        else:
            with pytest.raises(ColocError, match="nobody is here to ask"):
                call(house, NAME, "--in-place")
    assert "NO WAY BACK" in capsys.readouterr().out
    dying = replace(prepared, repository=Dying(prepared.repository))  # type: ignore[arg-type]
    with pytest.raises(ColocError, match="the link was cut; blog stands half way, its units are stopped"):
        InPlace(house.restoring(dying)).go()
    assert house.units.state("blog.service") == "inactive" and not house.app_folder.exists()
    (held,) = house.app_folder.parent.glob(".coloc-in-place-*")
    assert held.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ColocError, match="there is no way back"):
        undo_restore(house.config, last_restore(house.config, NAME))
    assert call(house, "--resume", "--yes") == 0
    assert house.state() == before
    assert house.units.state("blog.service") == "active"
    assert not held.exists()
    with pytest.raises(ColocError, match="there is no way back"):
        call(house, "undo", NAME, "--yes")
    assert house.state() == before


def test_only_the_files_leave_the_databases_alone(house: House) -> None:
    before = house.state()
    house.change()
    changed = house.state()
    assert call(house, NAME, "--in-place", "--only", "files", "--confirm", NAME) == 0
    now = house.state()
    assert now["files"] == before["files"]
    assert {**now, "files": None} == {**changed, "files": None}
    assert [journal.state for journal in journals(house.config.paths.journal)] == ["done"]
    assert house.leftovers() == []
    assert last_restore(house.config, NAME).only == Only.FILES
