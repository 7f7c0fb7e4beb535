"""What is held against each limit: the figures of /metrics, for whole projects and for single apps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from agent.observation import Observation
from agent.quota_agreements import Agreement, agreements, limit_of
from agent.quota_use import quota_spans, used
from agent.readings import Readings, ReadingWindow
from collectors.usage import AppUsage, ProjectUsage, Usage
from coloc.config.values import Limit
from coloc.config.whole import Config
from coloc.model import App, Colocation, Inventory

CONFIG = Config.model_validate(
    {
        "coloc": {"name": "c"},
        "stage": "enforce",
        "enforce": "slices",
        "projects": {
            "velo": {"quotas": {"cpu": 2, "io": 1000, "mail_per_hour": 5, "mail_per_day": 9}, "enforce": ["cpu"]},
            "chorale": {},
        },
        "apps": {
            "blog": {"quotas": {"memory": "1G", "network": 100}, "enforce": ["memory"]},
            "wiki": {"shared_by": {"velo": 1, "chorale": 1}, "quotas": {"cpu": 1}},
            "gone": {"quotas": {"cpu": 1}},
        },
    }
)
COLOCATION = Colocation(
    Inventory({"blog": App("blog", "blog", "Blog"), "wiki": App("wiki", "wiki", "Wiki")}),
    ("velo", "chorale"),
    {"blog": {"velo": 1.0}, "wiki": {"velo": 0.5, "chorale": 0.5}},
)


def agreement(resource: str, app: str = "") -> Agreement:
    return Agreement("velo", app, resource, Limit(soft=1, hard=2), timedelta(0), "warn", False)


def counters(second: float) -> list[Metric]:
    families: list[Metric] = []
    for name, per_second in (
        ("disk_read_bytes", 10),
        ("disk_written_bytes", 20),
        ("web_bytes", 5),
        ("mail_messages", 1),
    ):
        for kind, who in (("project", "velo"), ("app", "blog")):
            family = CounterMetricFamily(f"coloc_{kind}_{name}", "x", labels=[kind])
            family.add_metric([who], per_second * second)
            families.append(family)
    return families


def watched(seconds: int, *, spans: dict[str, float] | None = None, mail: bool = True) -> Readings:
    window = ReadingWindow(spans if spans is not None else dict(quota_spans(CONFIG)))
    post = GaugeMetricFamily("coloc_mail_open", "x")
    readings = Readings()
    for second in range(0, seconds + 1, 5):
        readings = window.update([*counters(second), *([post] if mail else [])], float(second))
    return readings


def test_the_limits_of_projects_come_first_then_those_of_apps_that_are_there() -> None:
    found = [(each.key, each.enforced) for each in agreements(CONFIG, COLOCATION)]
    assert found == [
        (("velo", "", "cpu"), True),
        (("velo", "", "io"), False),
        (("velo", "", "mail_per_hour"), False),
        (("velo", "", "mail_per_day"), False),
        (("velo", "blog", "memory"), True),
        (("velo", "blog", "network"), False),
        (("_shared", "wiki", "cpu"), False),
    ]


@pytest.mark.parametrize("change", [{"stage": "alert"}, {"enforce": None, "projects": {}, "apps": {}}])
def test_before_its_stage_and_without_the_key_nothing_is_enforced(change: dict[str, Any]) -> None:
    config = replace(CONFIG, **change)
    assert not any(each.enforced for each in agreements(config, COLOCATION))


def test_a_limit_is_found_again_or_is_gone() -> None:
    assert (limit_of(CONFIG, "velo", "", "cpu") or Limit(soft=9, hard=9)).hard == 2
    assert (limit_of(CONFIG, "velo", "blog", "network") or Limit(soft=9, hard=9)).hard == 100
    for project, app, resource in (("gone", "", "cpu"), ("velo", "nobody", "cpu"), ("velo", "", "disk")):
        assert limit_of(CONFIG, project, app, resource) is None


def test_known_figures_are_taken_as_they_are() -> None:
    usage = Usage({"blog": AppUsage("blog", "velo", memory_bytes=7.0)}, {"velo": ProjectUsage("velo", cpu_cores=1.5)})
    observation = Observation(COLOCATION, usage)
    assert used(observation, agreement("cpu")) == 1.5
    assert used(observation, agreement("memory", "blog")) == 7.0
    assert used(observation, agreement("memory")) is None
    assert used(observation, agreement("memory", "nobody")) is None


def test_reading_and_writing_count_together_over_a_minute() -> None:
    observation = Observation(COLOCATION, readings=watched(60))
    assert used(observation, agreement("io")) == pytest.approx(30)
    assert used(observation, agreement("network", "blog")) == pytest.approx(5)


def test_what_was_not_watched_long_enough_is_not_measured() -> None:
    assert used(Observation(COLOCATION, readings=watched(10)), agreement("io")) is None
    assert used(Observation(COLOCATION), agreement("io")) is None


def test_mails_of_the_day_are_counted_and_never_guessed_without_a_log() -> None:
    assert used(Observation(COLOCATION, readings=watched(300)), agreement("mail_per_day")) == pytest.approx(300)
    assert used(Observation(COLOCATION, readings=watched(300, mail=False)), agreement("mail_per_day")) is None


def test_files_and_connections_are_gauges() -> None:
    files = GaugeMetricFamily("coloc_project_disk_files", "x", labels=["project"])
    files.add_metric(["velo"], 12)
    connections = GaugeMetricFamily("coloc_app_database_connections", "x", labels=["app", "kind"])
    for kind, count in (("mysql", 2), ("postgresql", 3)):
        connections.add_metric(["blog", kind], count)
    readings = ReadingWindow({}).update([files, connections], 1.0)
    observation = Observation(COLOCATION, readings=readings)
    assert used(observation, agreement("files")) == 12
    assert used(observation, agreement("database_connections", "blog")) == 5
    assert used(observation, agreement("database_connections")) is None


def test_only_counters_of_limits_that_were_agreed_are_remembered() -> None:
    assert dict(quota_spans(CONFIG)) == {
        "coloc_project_disk_read_bytes_total": 60,
        "coloc_project_disk_written_bytes_total": 60,
        "coloc_project_mail_messages_total": 86400,
        "coloc_app_web_bytes_total": 60,
    }
