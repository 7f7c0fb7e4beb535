"""The alert rules for Prometheus are the agent's own: one table, one coloc.yml, one runbook."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.prometheus_rules import SILENT, alert_name, prometheus_rules
from agent.rule_table import SPECS
from agent.rules import RULES
from alerts.messages import RULES as WORDS
from coloc.config.whole import Config

ROOT = Path(__file__).parents[3]
FILE = ROOT / "deploy/prometheus/alerts.rules.yml"


def rules(*, only_here: bool = False, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """rule → its alerts."""
    config = Config.model_validate({"coloc": {"name": "demo"}} | changes)
    (group,) = yaml.safe_load(prometheus_rules(config, only_here=only_here))["groups"]
    found: dict[str, list[dict[str, Any]]] = {}
    for each in group["rules"]:
        found.setdefault(each["labels"]["rule"], []).append(each)
    return found


def test_the_file_that_is_deployed_is_what_the_command_prints() -> None:
    config = Config.model_validate({"coloc": {"name": "unnamed"}})
    assert FILE.read_text() == prometheus_rules(config, only_here=False)


def test_every_rule_of_the_agent_is_in_the_table_and_an_alert_and_nothing_else_but_silence() -> None:
    assert set(SPECS) == set(RULES) == set(WORDS)
    assert set(rules()) == {*RULES, SILENT}


def test_every_rule_has_its_page_in_the_runbook_and_every_page_its_rule() -> None:
    linked = {each["annotations"]["runbook_url"] for alerts in rules().values() for each in alerts}
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs/runbook").glob("*.md")}
    assert linked == pages - {"docs/runbook/custom.md"}
    for name in rules():
        page = (ROOT / f"docs/runbook/{name}.md").read_text()
        assert f"`{name}`" in page
        for heading in ("Ce que cela veut dire", "Regarder", "Faire", "What it means", "Look at", "Do"):
            assert f"**{heading}" in page


def test_every_alert_is_told_in_french_and_in_english_without_a_hole() -> None:
    for alerts in rules().values():
        for each in alerts:
            words = each["annotations"]
            assert words["summary"] != words["summary_en"]
            for text in words.values():
                assert re.sub(r"\{\{.*?\}\}", "", text).count("{") == 0, text
    assert "summary_fr" in rules(coloc={"name": "demo", "language": "en"})["app_down"][0]["annotations"]


def test_every_alert_looks_at_metrics_that_are_exposed_with_the_labels_of_its_subject() -> None:
    golden = (ROOT / "tests/golden/metrics.prom").read_text()
    for name, spec in SPECS.items():
        families = set(re.findall(r"\bcoloc_\w+", spec.levels[0][1]))
        assert families, name
        for family in families:
            assert f"\n{family}" in f"\n{golden}", family
        subject = {spec.metric_labels.get(label, label) for label in spec.subject}
        assert any(
            subject <= set(re.findall(r'(\w+)="', line))
            for line in golden.splitlines()
            if line.startswith(tuple(families))
        ), name


def test_what_coloc_yml_changes_of_a_rule_is_changed_in_the_alert() -> None:
    changed = rules(
        rules={
            "app_down": {"wait": "5m", "clear_after": "2h", "severity": "info"},
            "backup_failed": {"off": True},
            "disk_nearly_full": {"above": 0.5},
            "quota_exceeded": {"severity": "critical"},
        },
        backup={"late_after": "12h"},
    )
    (down,) = changed["app_down"]  # how much it matters was said: then it is one alert
    assert (down["for"], down["keep_firing_for"], down["labels"]["severity"]) == ("5m", "2h", "info")
    assert "backup_failed" not in changed
    warning, critical = changed["disk_nearly_full"]
    assert "coloc_filesystem_used_ratio >= 0.5 or (coloc_filesystem_used_ratio >= 0.47 " in warning["expr"]
    assert critical["expr"] == "coloc_filesystem_used_ratio >= 0.97"
    (quota,) = changed["quota_exceeded"]
    assert quota["labels"]["severity"] == "critical"
    assert changed["backup_late"][0]["expr"].endswith("> 43200")


def test_a_threshold_above_the_severe_one_moves_it_as_in_the_agent() -> None:
    _, critical = rules(rules={"disk_nearly_full": {"above": 0.99}})["disk_nearly_full"]
    assert critical["expr"].endswith(">= 0.99")


def test_rules_of_one_colocation_look_at_its_series_alone() -> None:
    for alerts in rules(only_here=True).values():
        for each in alerts:
            selectors = re.findall(r"\b(?:coloc_\w+|up|ALERTS)(\{.*?\})?", each["expr"])
            assert selectors
            assert all('coloc="demo"' in selector for selector in selectors), each["expr"]


@pytest.mark.parametrize(("name", "alert"), [("app_down", "ColocAppDown"), ("agent_silent", "ColocAgentSilent")])
def test_alerts_are_named_after_their_rules(name: str, alert: str) -> None:
    assert alert_name(name) == alert


def test_waits_are_those_of_the_table() -> None:
    spans = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    for name, spec in SPECS.items():
        for each in rules()[name]:
            told = [each.get(key, "0s") for key in ("for", "keep_firing_for")]
            assert [timedelta(seconds=int(span[:-1]) * spans[span[-1]]) for span in told] == [
                spec.wait,
                spec.clear_after,
            ]
