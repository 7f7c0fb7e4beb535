"""Whose project an app is, and what coloc.yml adds to the apps that YunoHost has."""

from __future__ import annotations

from coloc.config.reading import parse_config
from coloc.inventory.declared import with_declared
from coloc.inventory.projects import claims, colocation
from coloc.model import App, Database, DatabaseKind, Inventory
from tests.fakes.yunohost import FakeServer

TEXT = b"""
coloc: {name: essai}
projects:
  a: {apps: ["word*", cloud, nothing]}
  b: {apps: [wordpress__2, "cl*", chat]}
  c: {apps: [chat]}
apps:
  cloud: {shared_by: {a: 3, b: 1}, folders: [/srv/more], units: [extra.service]}
  own: {folders: [/srv/own, /srv/two, /srv/three], databases: [{kind: sqlite, name: /srv/own/x.db}], user: own}
  typo: {shared_by: {a: 1}}
"""


def test_shares_ids_and_patterns(server: FakeServer) -> None:
    config = parse_config(TEXT, "coloc.yml")
    apps = {app: App(app, app, app) for app in ("wordpress", "wordpress__2", "cloud", "chat", "alone")}
    inventory = with_declared(Inventory(apps), config.apps, server.root)

    found = colocation(config, inventory)

    assert found.shares == {
        "wordpress": {"a": 1.0},
        "wordpress__2": {"b": 1.0},
        "cloud": {"a": 0.75, "b": 0.25},
        "chat": {"b": 0.5, "c": 0.5},
    }
    told = " ".join(claims(config, inventory))
    assert all(word in told for word in ("nothing", "chat", "typo"))
    assert "wordpress" not in told


def test_declared_apps_stand_alone_or_add(server: FakeServer) -> None:
    config = parse_config(TEXT, "coloc.yml")
    base = Inventory({"cloud": App("cloud", "cloud", "Cloud", install_dir="/var/www/cloud", services=("cloud",))})

    apps = with_declared(base, config.apps, server.root).apps

    assert set(apps) == {"cloud", "own"}
    assert apps["cloud"].folders == ("/var/www/cloud", "/srv/more")
    assert apps["cloud"].services == ("cloud", "extra")
    assert not apps["cloud"].declared
    assert apps["own"].declared
    assert apps["own"].folders == ("/srv/own", "/srv/two", "/srv/three")
    assert apps["own"].databases == (Database(DatabaseKind.SQLITE, "/srv/own/x.db"),)
