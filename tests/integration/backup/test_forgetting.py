"""What an app left behind: kept, then deleted on every host for good, also on one that was down; with a receipt."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields

import pytest

from backup.borg import Repository
from backup.forgetting import ask_to_forget, forget_on, forgettings
from backup.journal import open_journal
from coloc.times import now_utc
from tests.fakes.backup_world import World
from tests.fakes.waiting import until

Coloc = Callable[..., tuple[int, str, str]]


def names(world: World, host: str) -> set[str]:
    return {archive.name.split(".")[1] for archive in world.repository(host).archives()}


def test_an_app_is_forgotten_on_every_host_also_on_one_that_was_down(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    away = world.local_host("pie")
    world.app("blog", rows=2)
    world.app("wiki")
    assert world.run().ok
    cache = world.config.paths.journal / "borg/.cache/borg"
    assert list(cache.glob("*/files.ruche.wiki"))
    code, _, err = coloc("forget", "wiki", "--yes")
    assert (code, "wiki is on this server: its backups are needed" in err) == (1, True)
    world.remove("wiki")
    assert world.run().ok
    assert "what wiki left behind stays (until " in coloc("forget", "wiki", "--yes")[2]
    code, out, _ = coloc("forget", "wiki", "--now", "--dry-run")
    assert (code, "merle: 1 archives would be deleted (simulation)" in out) == (0, True)
    assert names(world, "merle") == {"blog", "wiki"}

    away.rename(world.folder / "unplugged")
    code, out, err = coloc("forget", "wiki", "--now", "--yes")
    assert code == 1
    assert "merle: 1 archives effacées / deleted" in out
    assert "pie: en attente / still open" in out
    assert "this stays open; the nightly run finishes it" in err
    assert names(world, "merle") == {"blog"}
    assert not list(cache.glob("*/files.ruche.wiki"))

    (world.folder / "unplugged").rename(away)
    asked_at = max(each.asked_at for each in forgettings(open_journal(world.config.paths.journal), app="wiki"))
    until(lambda: now_utc().replace(microsecond=0) > asked_at, what="the next second")
    world.app("wiki")  # another one, of the same name
    assert world.run().ok
    assert names(world, "pie") == {"blog", "wiki"}
    assert len([each for each in world.repository("pie").archives() if ".wiki." in each.name]) == 1
    assert {fact.values["host"] for fact in world.facts("forgotten")} == {"merle", "pie"}
    (receipt,) = (world.config.paths.journal / "receipts").iterdir()
    assert receipt.read_text().count("1 archives effacées") == 2
    assert receipt.stat().st_mode & 0o777 == 0o600


def test_another_word_than_its_name_deletes_nothing(
    world: World, coloc: Coloc, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    world.remove("blog")
    monkeypatch.setattr("sys.stdin", io.StringIO("blgo\n"))
    code, out, _ = coloc("forget", "blog", "--now")
    assert (code, "nothing was deleted" in out) == (1, True)
    assert names(world, "merle") == {"blog"}


def test_a_forgetting_that_was_cut_is_finished_and_its_receipt_is_true(world: World, coloc: Coloc) -> None:
    world.local_host("merle")
    world.app("blog", rows=1)
    assert world.run().ok
    world.remove("blog")
    world.app("wiki")
    journal = open_journal(world.config.paths.journal)
    (asked,) = ask_to_forget(journal, "blog", ["merle"], now_utc())
    names = [archive.name for archive in world.repository("merle").archives()]

    class Cut(Exception):
        """The power fails."""

    class PowerFails(Repository):
        def compact(self, *, on_progress: object = None) -> None:
            raise Cut

    repository = world.repository("merle")
    failing = PowerFails(*(getattr(repository, field.name) for field in fields(repository)))
    with pytest.raises(Cut):
        forget_on(failing, journal, asked, coloc="ruche", names=names, now=now_utc())
    assert [each.done_at for each in forgettings(journal, app="blog")] == [None]
    journal.close()
    code, out, err = coloc("forget", "blog", "--yes")
    assert (code, "merle: 2 archives effacées / deleted" in out) == (0, True), err
    assert world.run().ok
