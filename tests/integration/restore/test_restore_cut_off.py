"""A restore that was cut off is finished or taken back by the next command; what it replaced goes after its days."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from agent.cli import cli
from backup.journal import open_journal
from backup.restore_finish import may_finish
from backup.restore_journal import journals
from backup.restore_plan import Only
from backup.restore_unfinished import (
    cut_off_apps,
    last_restore,
    over,
    remove_replaced,
    unfinished_restore,
)
from coloc import command
from coloc.command import Output
from coloc.errors import ColocError
from coloc.times import now_utc
from tests.integration.restore.house import NAME, House


def call(house: House, *words: str) -> object:
    return cli.main(["--config", str(house.folder / "coloc.yml"), "restore", *words], standalone_mode=False)


def cut_off(house: House, at: str, only: Only = Only.ALL) -> None:
    """A restore whose power fails just before the first order that begins with `at`."""
    prepared = house.prepare(only)

    def run(argv: Sequence[str], **options: Any) -> Output:
        if " ".join(argv).startswith(at):
            os._exit(9)
        return command.run(argv, **options)

    child = os.fork()
    if child == 0:
        try:
            house.restoring(prepared, run=run).go()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 9


def test_one_that_lacks_only_its_end_is_finished_without_asking_the_host_again(house: House) -> None:
    before = house.state()
    house.change()
    changed = house.state()
    cut_off(house, "systemctl start")
    assert may_finish(unfinished_restore(house.config))
    assert house.state() == before and house.units.state("blog.service") == "inactive"
    with pytest.raises(ColocError, match="was cut off"):
        call(house, NAME, "--yes")
    assert cut_off_apps(house.config.paths.journal).keys() == {NAME}
    repository = house.config.backup.hosts["alouette"].path
    assert repository is not None
    repository.rename(repository.with_name("away"))
    try:
        assert call(house, "--resume", "--yes") == 0
    finally:
        repository.with_name("away").rename(repository)
    assert house.state() == before and house.units.state("blog.service") == "active"
    assert cut_off_apps(house.config.paths.journal) == {}
    assert call(house, "undo", "--yes") == 0
    assert house.state() == changed and house.leftovers() == []


def test_one_that_was_cut_off_earlier_is_done_again_from_the_same_run(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    before = house.state()
    house.change()
    cut_off(house, "systemctl stop", Only.FILES)
    run = unfinished_restore(house.config).run
    assert call(house, "--resume", "--dry-run") == 0
    assert call(house, NAME, "--resume", "--yes") == 0
    assert house.files() == before["files"] and house.postgresql() != before["postgresql"]
    assert last_restore(house.config, NAME).run == run
    assert [journal.state for journal in journals(house.config.paths.journal)] == ["undone", "done"]
    assert "is taken back and done again" in capsys.readouterr().out


def test_a_night_saves_no_app_that_stands_half_way(house: House) -> None:
    house.change()
    cut_off(house, "systemctl start", Only.FILES)
    journal = open_journal(house.config.paths.journal)
    proven = journal.proven("alouette")
    with pytest.raises(AssertionError, match=r"its restore begun at .* was cut off"):
        house.back_up()
    assert journal.proven("alouette") == proven
    journal.close()
    assert call(house, "undo", "--yes") == 0


def test_an_end_that_fails_takes_all_back(house: House) -> None:
    house.change()
    changed = house.state()
    cut_off(house, "systemctl start")
    house.units.refuse_next_start()
    with pytest.raises(ColocError, match=r"does not stay up .* blog is as it was"):
        call(house, "--resume", "--yes")
    assert house.state() == changed and house.leftovers() == []
    assert house.units.state("blog.service") == "active"


def test_what_was_replaced_goes_when_its_days_are_over(house: House) -> None:
    before = house.state()
    house.change()
    house.restore()
    now = now_utc()
    assert list(over(house.config, now + timedelta(days=13))) == []
    assert call(house, "--tidy") == 0
    assert len(house.leftovers()) == 3
    (journal,) = over(house.config, now + timedelta(days=15))
    removed = remove_replaced(house.config, journal, now=now)
    assert len(removed) == 3 and house.leftovers() == []
    assert house.state() == before
    with pytest.raises(ColocError, match="was removed at"):
        call(house, "undo", "--yes")
    assert list(over(house.config, now + timedelta(days=15))) == []
