"""The command: a plan first, a question, --dry-run and --to that touch nothing, one sentence for each failure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.cli import cli
from backup.dump_spec import member_of
from coloc.databases import sqlite
from coloc.errors import ColocError
from coloc.model import DatabaseKind
from tests.integration.restore.house import House


def call(house: House, *words: str) -> object:
    return cli.main(["--config", str(house.folder / "coloc.yml"), "restore", *words], standalone_mode=False)


def test_the_command_from_plan_to_undo(house: House, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    before = house.files()
    (house.app_folder / "index.php").write_text("changed")
    changed = house.files()
    assert call(house, "blog", "--dry-run") == 0
    text = capsys.readouterr().out
    assert "is replaced: /var/www/blog" in text and "Simulation: nothing was changed" in text and "blog.service" in text
    with pytest.raises(ColocError, match="nobody is here to ask"):
        call(house, "blog")
    assert house.files() == changed and house.units.orders() == []

    assert call(house, "blog", "--to", str(tmp_path / "there")) == 0
    assert (tmp_path / "there/var/www/blog/index.php").read_text() == "<?php echo 1;"
    dumps = sorted((tmp_path / "there/databases").iterdir())
    assert [re.sub("-.*", "", dump.name) for dump in dumps] == ["mysql", "postgresql", "sqlite"]
    assert sqlite.check_and_count(dumps[2]) == {"note": 2} and member_of(DatabaseKind.SQLITE)
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o700
    for words in ((), ("--dry-run",)):
        with pytest.raises(ColocError, match="is not empty"):
            call(house, "blog", "--to", str(tmp_path / "there"), *words)
    assert house.files() == changed

    house.config.paths.facts.write_text("no folder: no fact can be written")
    assert call(house, "blog", "--only", "files", "--from", "alouette", "--yes") == 0
    text = capsys.readouterr().out
    assert "the way back" in text
    assert "it is done, but the agent does not hear of it: the fact 'restore' cannot be written" in text
    assert house.files() == before
    assert call(house, "undo", "blog", "--yes") == 0
    assert house.files() == changed


def test_each_failure_is_one_sentence_with_what_to_do(house: House) -> None:
    for words, expected in (
        (("nothing", "--yes"), "there is no app 'nothing'"),
        (("blog", "--archive", "x", "--yes"), "there is no archive 'x'"),
        (("blog", "--at", "2020-01-01", "--yes"), "no whole archive of blog from 2020-01-01"),
        (("blog", "--at", "yesterday", "--yes"), "is no time"),
        (("blog", "--from", "merle", "--yes"), "no backup host 'merle'"),
        (("blog", "--path", "/etc/passwd", "--yes"), "not below the folders of blog"),
        (("blog", "--path", "../../etc", "--yes"), "not below the folders of blog"),
        (("blog", "--path", "gone", "--yes"), "not in this archive"),
        (("blog", "--undo", "--yes"), "no restore of 'blog'"),
    ):
        with pytest.raises(ColocError, match=expected) as caught:
            call(house, *words)
        assert caught.value.hint
    (house.folder / "passphrase").write_text("wrong")
    with pytest.raises(ColocError, match="passphrase does not open"):
        call(house, "blog", "--yes")
    (house.folder / "passphrase").write_text("secret-words")
    config = house.folder / "coloc.yml"
    config.write_text(config.read_text().replace("/repository", "/moved"))
    with pytest.raises(ColocError, match="its repository is known at"):
        call(house, "blog", "--yes")
