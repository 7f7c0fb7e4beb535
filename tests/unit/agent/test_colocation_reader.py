"""What the rooms of the house are given: one colocation, the same object until something really changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.colocation import ColocationReader, read_colocation
from coloc.config.projects import AppEntry, Project
from coloc.config.whole import Coloc, Config
from coloc.model import Inventory
from tests.fakes.yunohost import FakeServer

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _config(root: Path) -> Config:
    projects = {"club": Project(apps=("blog*",)), "all": Project()}
    apps = {"wiki": AppEntry(folders=("/srv/wiki",), shared_by={"club": 3, "all": 1})}
    return Config(coloc=Coloc(name="test"), projects=projects, apps=apps, root=root)


@pytest.fixture
def server(tmp_path: Path) -> FakeServer:
    server = FakeServer(tmp_path / "root")
    server.app("blog")
    return server


def test_nothing_new_is_the_same_object(server: FakeServer) -> None:
    reader = ColocationReader(_config(server.root))

    assert reader.read(NOW)
    first = reader.current()
    assert not reader.read(NOW + timedelta(seconds=5))
    (server.root / "etc/yunohost/apps/blog/settings.yml").touch()
    assert not reader.read(NOW + timedelta(seconds=10))
    assert reader.current() is first
    server.app("blog__2")
    assert reader.read(NOW + timedelta(seconds=15))
    assert set(reader.current().inventory.apps) == {"blog", "blog__2", "wiki"}


def test_apps_of_yunohost_and_of_the_configuration_have_their_projects(server: FakeServer) -> None:
    found = read_colocation(_config(server.root))

    assert found.project_of("blog") == "club"
    assert found.shares["wiki"] == {"club": 0.75, "all": 0.25}
    assert found.inventory.apps["wiki"].declared


class _Breaking:
    """A reader of the inventory that stops working, and works again."""

    def __init__(self) -> None:
        self.is_broken = False

    def read(self, now: datetime) -> Inventory:
        if self.is_broken:
            raise OSError("the disk went away")
        return Inventory({}, domains=("a.test",))


def test_a_failure_keeps_what_was_known_and_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inventory = _Breaking()
    reader = ColocationReader(_config(tmp_path), inventory)
    reader.read(NOW)
    known = reader.current()
    inventory.is_broken = True

    assert not reader.read(NOW)
    assert not reader.read(NOW)
    assert reader.current() is known
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1

    inventory.is_broken = False
    assert not reader.read(NOW)
    inventory.is_broken = True
    assert not reader.read(NOW)
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2
