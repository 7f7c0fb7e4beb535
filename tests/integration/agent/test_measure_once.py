"""The one-shot measure on this machine and a small tree: the promised names are there, and promtool stays silent."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from agent.measure_once import measure_once
from coloc.config.reading import parse_config
from coloc.config.whole import Coloc, Config
from coloc.facts import Spool
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


def test_backups_and_quotas_are_in_it_without_a_daemon(tmp_path: Path) -> None:
    (tmp_path / "var/www/blog").mkdir(parents=True)
    (tmp_path / "var/www/blog/page").write_bytes(b"x" * 50_000)
    spool, at = Spool(tmp_path / "facts"), datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
    spool.write("backup", at, app="blog", host="merle", ok=True, archive="a", bytes=1234)
    spool.write("proof", at + timedelta(seconds=1), app="blog", host="merle", archive="a", what="readback")
    text = (
        f"coloc: {{name: small}}\nroot: {tmp_path}\nprojects: {{velo: {{apps: [blog], quotas: {{disk: 100K}}}}}}\n"
        f"backup: {{hosts: {{merle: {{path: {tmp_path}/merle}}}}}}\n"
    )
    found = colocation(App("blog", "wordpress", "Blog", install_dir="/var/www/blog"), shares=SHARES)
    measured = measure_once(parse_config(text.encode(), "coloc.yml"), found, "0.1", spool)
    assert check_metrics(measured.text) == ""
    said = measured.text.decode()
    where = 'app="blog",host="merle",project="velo"'
    (success,) = re.findall(rf"coloc_backup_last_success_timestamp_seconds{{{where}}} (\S+)", said)
    assert float(success) == at.timestamp()
    assert f"coloc_backup_last_proven_timestamp_seconds{{{where}}}" in said
    assert f"coloc_backup_archive_bytes{{{where}}} 1234.0" in said
    assert 'coloc_quota_limit_bytes{project="velo",resource="disk",step="hard"} 100000.0' in said
    (used,) = re.findall(r'coloc_quota_used_ratio{project="velo",resource="disk"} ([0-9.]+)', said)
    assert 0.5 <= float(used) < 1
    assert "coloc_incidents" not in said and said.count("coloc_project_info{") == 1

    (tmp_path / "closed").write_text("no folder")
    unread = measure_once(parse_config(text.encode(), "coloc.yml"), found, "0.1", Spool(tmp_path / "closed"))
    assert "coloc_app_disk_bytes" in unread.text.decode()
    assert [sentence for sentence in unread.unseen if "cannot be read" in sentence]


def test_nothing_at_all_is_measured_too(tmp_path: Path) -> None:
    measured = measure_once(Config(coloc=Coloc(name="empty"), root=tmp_path), colocation(), "0.1")
    assert check_metrics(measured.text) == ""
    assert b"coloc_machine_memory_size_bytes" in measured.text
