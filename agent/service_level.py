"""The level of service that an app is promised, and the severity that follows from it. Pure."""

from __future__ import annotations

from agent.incidents import Finding
from agent.loudness import by_service
from agent.rule_table import concern_of
from coloc.config.whole import Config

LEVELS = ("best_effort", "standard", "high")


def service_of(config: Config, app: str) -> str:
    """The level of service of an app; "" when nothing is named."""
    if not app:
        return ""
    entry = config.apps.get(app)
    return entry.service if entry else "best_effort"


def served(config: Config, finding: Finding) -> Finding:
    """The finding with the severity that its app's level of service gives it."""
    labels = dict(finding.labels)
    return by_service(finding, concern_of(finding.rule, labels), service_of(config, labels.get("app", "")))
