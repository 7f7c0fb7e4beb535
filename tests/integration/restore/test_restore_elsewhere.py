"""What an archive holds, what changed, and how it comes back elsewhere: a new database, another server, a list."""

from __future__ import annotations

import json

import pytest

from agent.cli import cli
from agent.restore_choice import choose_app, choose_set
from backup.journal import open_journal
from backup.restore_journal import journals
from backup.restore_named import Named, named, restore_named
from coloc.databases import mysql, postgresql
from coloc.errors import ColocError
from coloc.times import now_utc
from tests.integration.restore.house import NAME, House

HOSTILE = 'blog\'; DROP "x" --é\nnew`line'


def call(house: House, *words: str) -> object:
    return cli.main(["--config", str(house.folder / "coloc.yml"), *words], standalone_mode=False)


def test_a_database_comes_back_beside_the_live_one(house: House) -> None:
    house.change()
    changed = house.state()
    prepared = house.prepare()
    with pytest.raises(ColocError, match="2 such databases"):
        named(prepared.plan, "new")
    with pytest.raises(ColocError, match="of the server itself"):
        named(prepared.plan, f"mysql:{NAME}=mysql")
    for saved in prepared.plan.databases[:2]:
        restore_named(house.config, prepared, Named(saved, HOSTILE))
        with pytest.raises(ColocError, match="already"):
            restore_named(house.config, prepared, Named(saved, HOSTILE))
    try:
        assert mysql.ask(house.servers, "SELECT count(*) FROM parent", database=HOSTILE) == [["2"]]
        assert postgresql.ask(house.servers, "SELECT count(*) FROM post", database=HOSTILE) == [["2"]]
    finally:
        mysql.drop(house.servers, HOSTILE)
        postgresql.drop(house.servers, HOSTILE)
    assert house.state() == changed
    assert [journal.state for journal in journals(house.config.paths.journal)] == ["copied", "copied"]
    with pytest.raises(ColocError, match="no restore of 'blog'"):
        call(house, "restore", "undo", NAME)


def test_an_app_comes_back_from_a_server_that_is_gone(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    before = house.files()
    (house.app_folder / "index.php").write_text("changed")
    place = str(house.config.backup.hosts["alouette"].path)
    mine = {**house.data, "coloc": {"name": "mine"}}
    (house.folder / "coloc.yml").write_text(json.dumps(mine))
    with pytest.raises(ColocError, match="no archive of 'blog'"):
        call(house, "restore", NAME, "--yes")
    assert call(house, "archives", "--coloc", "rosa") == 0
    assert NAME in capsys.readouterr().out
    (house.folder / "coloc.yml").write_text(json.dumps({**mine, "backup": {"hosts": {}}}))
    with pytest.raises(ColocError, match="names no backup host"):
        call(house, "restore", NAME, "--yes", "--coloc", "rosa")
    words = ("--coloc", "rosa", "--repository", place, "--passphrase-file", str(house.folder / "passphrase"))
    assert call(house, "restore", NAME, "--only", "files", "--yes", *words) == 0
    assert house.files() == before
    with pytest.raises(ColocError, match="cannot be used"):
        call(house, "restore", NAME, "--yes", "--coloc", "Not A Name")


def test_the_list_to_choose_from(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    journal = open_journal(house.config.paths.journal)
    asked: list[tuple[str, int, int]] = []

    def first(question: str, least: int, most: int) -> int:
        asked.append((question, least, most))
        return 1

    assert choose_app(house.config, journal, str, hosts=[], ask=first) == NAME
    choice = choose_set(house.config, journal, NAME, str, hosts=[], now=now_utc(), ask=first)
    journal.close()
    assert (choice.app, choice.host) == (NAME, "alouette")
    assert asked == [("Which app?", 1, 1), ("Which one?", 1, 1)]
    assert "alouette" in capsys.readouterr().out


def test_what_an_archive_holds_and_what_changed(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(house, "archives", NAME, "--files", "*.php") == 0
    text = capsys.readouterr().out
    assert "/var/www/blog/index.php" in text and "/var/www/blog/sparse" not in text
    assert "mysql blog  " in text and "postgresql blog  2 rows" in text
    assert call(house, "archives", NAME, "--files", "/var/www/blog/data", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["path"] == "var/www/blog/data"
    assert call(house, "archives", NAME, "--files", "nothing-like-it") == 1
    first = house.prepare().plan.candidate.set.run
    house.change()
    (house.app_folder / "link").unlink()
    second = house.back_up()
    capsys.readouterr()
    assert call(house, "archives", NAME, "--diff", first, second) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "rows      blog child: 2 → 0" in lines and "rows      blog public.post: 2 → 0" in lines
    changes = {line.split("  (")[0].strip() for line in lines}
    assert {
        "added     /var/www/blog/new",
        "removed   /var/www/blog/link",
        "changed   /var/www/blog/index.php",
    } <= changes
    with pytest.raises(ColocError, match="no host holds both"):
        call(house, "archives", NAME, "--diff", first, "nothing")
