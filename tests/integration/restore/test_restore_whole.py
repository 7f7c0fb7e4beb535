"""An app comes back byte by byte and row by row; what it replaced is kept, and the way back works."""

from __future__ import annotations

import pytest

from backup.restore_plan import Only
from backup.restore_unfinished import last_restore, undo_restore
from coloc.databases import mysql, postgresql
from coloc.errors import ColocError
from coloc.facts import Fact, Spool
from tests.integration.restore.house import House


def test_a_changed_app_comes_back_and_can_be_taken_back(house: House) -> None:
    before = house.state()
    house.change()
    changed = house.state()
    restored = house.restore()
    assert house.state() == before
    assert house.units.orders() == ["stop -- blog.service", "start -- blog.service"]
    assert house.units.state("blog.service") == "active"
    assert len(restored.kept) == 1 and len(restored.databases) == 2
    assert len(house.leftovers()) == 3
    facts = [
        fact for fact in Spool(house.config.paths.facts).read() if isinstance(fact, Fact) and fact.kind == "restore"
    ]
    assert [(fact.values["ok"], fact.values["app"], fact.values["host"]) for fact in facts] == [
        (True, "blog", "alouette")
    ]
    undo_restore(house.config, last_restore(house.config, "blog"))
    assert house.state() == changed
    assert house.leftovers() == []


def test_a_destroyed_app_comes_back(house: House) -> None:
    before = house.state()
    house.destroy()
    house.restore()
    after = house.state()
    assert after["files"] == before["files"]
    assert after["mysql"] == before["mysql"]
    assert after["postgresql"][:3] == before["postgresql"][:3]
    assert after["sqlite"][0] == before["sqlite"][0]


def test_only_the_database_or_only_the_files(house: House) -> None:
    before = house.state()
    house.change()
    changed = house.state()
    house.restore(Only.FILES)
    now = house.state()
    assert now["files"] == before["files"]
    assert {**now, "files": None} == {**changed, "files": None}
    restored = house.restore(Only.DATABASE)
    assert house.state() == before
    for drop, name in zip((mysql.drop, postgresql.drop), restored.databases, strict=True):
        drop(house.servers, name)  # an admin makes room
        with pytest.raises(ColocError, match=f"the database {restored.databases[0]}, which it replaced, is gone"):
            undo_restore(house.config, last_restore(house.config, "blog"))
    assert house.state() == before


def test_one_path_comes_back_alone(house: House) -> None:
    before = house.files()
    house.change()
    house.restore(path="sparse")
    house.restore(path="/var/www/blog/index.php")
    now = house.files()
    assert now["sparse"] == before["sparse"] and now["index.php"][:5] == before["index.php"][:5]
    assert "new" in now
