"""Backups and quotas of a Status as metrics: the daemon's own at each look, `coloc-agent metrics` once."""

from __future__ import annotations

import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

from prometheus_client.metrics_core import Metric

from agent.backup_store import FactReader
from agent.evaluator import Evaluator
from agent.observation import Observation
from agent.rule_facts import rule_families
from agent.snapshot import snapshot
from agent.status import Status
from collectors.agent_facts import BackupFact, QuotaFact, backup_families, quota_families
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.model import Colocation
from coloc.state import open_state


def status_families(status: Status, colocation: Colocation) -> list[Metric]:
    """The last word on each backup, and each project against its limits."""
    backups = [
        BackupFact(
            item.app,
            colocation.project_of(item.app),
            item.host,
            item.last_success_at,
            item.last_proven_at,
            item.archive_bytes,
        )
        for item in status.backups
    ]
    quotas = [
        QuotaFact(project.name, item.resource, item.soft, item.hard, item.used)
        for project in status.projects
        for item in project.quotas
    ]
    return [*backup_families(backups), *quota_families(quotas)]


def remembered_families(
    config: Config, observation: Observation, spool: Spool, now: datetime, version: str
) -> list[Metric]:
    """The same without a daemon: from what the spool still holds, in a memory of this one moment. Raises StateError."""
    with (
        tempfile.TemporaryDirectory(prefix="coloc-metrics-") as folder,
        closing(open_state(Path(folder) / "state.db")) as state,
    ):
        facts = FactReader(state, spool)
        facts.take(now)
        standings = Evaluator(state, facts, lambda *_: None).standings(config, observation, now)
        status = snapshot(config, state.connection, observation, standings, now, version=version, started_at=now)
        # On which step a project stands, and since when, only the daemon knows.
        judged = rule_families(config, observation.colocation, state, (), now, is_config_good=True)
        return [*status_families(status, observation.colocation), *judged]
