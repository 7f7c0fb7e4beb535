"""The agent's own facts as metrics: names and labels that dashboards rely on, and nothing for what is not known."""

from __future__ import annotations

from datetime import UTC, datetime

from collectors.agent_facts import (
    BackupFact,
    QuotaFact,
    backup_families,
    incident_families,
    name_families,
    quota_families,
)
from coloc.model import App
from tests.fakes.colocations import colocation, figures

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_backups() -> None:
    rows = [
        BackupFact("blog", "chorale", "merle", NOW, None, 1234),
        BackupFact("wiki", "velo", "merle", None, NOW, None),
    ]
    where = 'app="blog",host="merle",project="chorale"'
    assert figures(backup_families(rows)) == {
        f"coloc_backup_last_success_timestamp_seconds{{{where}}}": NOW.timestamp(),
        f"coloc_backup_archive_bytes{{{where}}}": 1234,
        'coloc_backup_last_proven_timestamp_seconds{app="wiki",host="merle",project="velo"}': NOW.timestamp(),
    }


def test_quotas_in_their_units() -> None:
    rows = [
        QuotaFact("velo", "disk", 8, 10, 5),
        QuotaFact("velo", "cpu", 1, 2, None),
        QuotaFact("velo", "mail_per_hour", 40, 50, 50),
    ]
    assert figures(quota_families(rows)) == {
        'coloc_quota_limit_bytes{project="velo",resource="disk",step="soft"}': 8,
        'coloc_quota_limit_bytes{project="velo",resource="disk",step="hard"}': 10,
        'coloc_quota_limit_cpus{project="velo",resource="cpu",step="soft"}': 1,
        'coloc_quota_limit_cpus{project="velo",resource="cpu",step="hard"}': 2,
        'coloc_quota_limit_count{project="velo",resource="mail_per_hour",step="soft"}': 40,
        'coloc_quota_limit_count{project="velo",resource="mail_per_hour",step="hard"}': 50,
        'coloc_quota_used_ratio{project="velo",resource="disk"}': 0.5,
        'coloc_quota_used_ratio{project="velo",resource="mail_per_hour"}': 1,
    }


def test_incidents_and_names() -> None:
    app = App("blog", "wordpress", "Blog", domain="blog.test", version="6.9~ynh1", packaging_version=2)
    found = name_families(colocation(app), coloc="demo", kind="cms", version="0.1")
    assert figures([*incident_families({"warning": 2, "critical": 0}), *found]) == {
        'coloc_incidents{severity="critical"}': 0,
        'coloc_incidents{severity="warning"}': 2,
        'coloc_info{coloc="demo",kind="cms"}': 1,
        'coloc_agent_build_info{version="0.1"}': 1,
        'coloc_app_info{app="blog",domain="blog.test",packaging="2",project="_none",version="6.9~ynh1"}': 1,
    }
