"""The one-shot measure on this machine and a small tree: the promised names are there, and promtool stays silent."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from agent.measure_once import measure_once
from coloc.config.whole import Coloc, Config
from coloc.model import App, Database, DatabaseKind
from tests.fakes.colocations import colocation
from tests.fakes.prometheus import check_metrics

SHARES = {"blog": {"velo": 1.0}}


def test_a_small_tree_is_measured(tmp_path: Path) -> None:
    folder = tmp_path / "var/www/blog"
    folder.mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:\nblog:x:61901:61901::/:\nbroken line\n")
    with closing(sqlite3.connect(folder / "blog.db")) as connection, connection:
        connection.execute("CREATE TABLE posts (body TEXT)")
    app = App(
        "blog",
        "wordpress",
        "Blog",
        user="blog",
        install_dir="/var/www/blog",
        databases=(Database(DatabaseKind.SQLITE, "/var/www/blog/blog.db"),),
    )
    config = Config(coloc=Coloc(name="small"), root=tmp_path)
    measured = measure_once(config, colocation(app, shares=SHARES), "0.1")
    assert check_metrics(measured.text) == ""
    families = {family.name: family for family in text_string_to_metric_families(measured.text.decode())}
    for subject in ("app", "project"):
        for figure in ("cpu_seconds", "memory_bytes", "processes", "disk_bytes", "database_bytes"):
            assert f"coloc_{subject}_{figure}" in families
    (size,) = families["coloc_app_database_bytes"].samples
    assert (size.labels["database"], size.value) == ("blog.db", (folder / "blog.db").stat().st_size)
    assert measured.unseen == ()


def test_nothing_at_all_is_measured_too(tmp_path: Path) -> None:
    measured = measure_once(Config(coloc=Coloc(name="empty"), root=tmp_path), colocation(), "0.1")
    assert check_metrics(measured.text) == ""
    assert b"coloc_machine_memory_size_bytes" in measured.text
