"""The reader's memory: the same object while nothing changed, the last good app while YunoHost rewrites a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coloc.inventory.yunohost import InventoryReader
from coloc.model import AppState
from tests.fakes.yunohost import FakeServer

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_nothing_changed_gives_the_same_object(server: FakeServer) -> None:
    server.app("blog")
    reader = InventoryReader(server.root)

    assert reader.read(NOW) is reader.read(after(5))
    (server.root / "etc/yunohost/apps/blog/settings.yml").touch()
    assert reader.read(NOW) is reader.read(after(10))


@pytest.mark.parametrize("half", ["", "id: blog\ndb_pwd: 'ab", "[", "install_time: 1\n"])
def test_a_rewritten_file_keeps_the_last_good_app_for_a_minute(server: FakeServer, half: str) -> None:
    file = server.app("blog", label="Before") / "settings.yml"
    whole = file.read_text()
    reader = InventoryReader(server.root)
    good = reader.read(NOW).apps["blog"]

    file.write_text(half)
    assert reader.read(after(5)).apps["blog"] == good
    assert reader.read(after(64)).apps["blog"] == good
    assert reader.read(after(66)).apps["blog"].state is AppState.BROKEN
    file.write_text(whole.replace("Before", "After"))
    assert reader.read(after(70)).apps["blog"].label == "After"


def test_changes_of_other_files_are_seen(server: FakeServer) -> None:
    server.app("blog")
    server.noted("blog", "/etc/blog/x.conf", "one")
    reader = InventoryReader(server.root)
    reader.read(NOW)

    server.write("/etc/blog/x.conf", "other")
    server.write("/etc/systemd/system/blog.service", "[Service]\nUser=blog\n")
    app = reader.read(after(1)).apps["blog"]

    assert app.modified_files == ("/etc/blog/x.conf",)
    assert app.services == ("blog",)


def test_a_removed_app_goes_at_once(server: FakeServer) -> None:
    folder = server.app("blog")
    reader = InventoryReader(server.root)
    reader.read(NOW)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()

    assert reader.read(after(1)).apps == {}


def test_a_file_that_ends_too_early_keeps_the_last_good_app(server: FakeServer) -> None:
    file = server.app("blog", label="Before", port=4000) / "settings.yml"
    whole = file.read_text()
    reader = InventoryReader(server.root)
    good = reader.read(NOW).apps["blog"]

    file.write_text(whole[: whole.index("path:") - 3])
    assert reader.read(after(5)).apps["blog"] == good
    file.write_text(whole)
    assert reader.read(after(10)).apps["blog"] == good
    file.write_text(whole[: whole.index("label:")])
    assert reader.read(after(15)).apps["blog"] == good
    assert reader.read(after(74)).apps["blog"] == good
    assert reader.read(after(76)).apps["blog"].path is None


def test_a_setting_that_was_taken_out_is_seen_at_once(server: FakeServer) -> None:
    file = server.app("blog", label="Before") / "settings.yml"
    reader = InventoryReader(server.root)
    reader.read(NOW)

    file.write_text(file.read_text().replace("label: Before\n", ""))

    assert reader.read(after(1)).apps["blog"].label == "blog"
