"""The rules that compare a figure: each speaks when it should, keeps quiet when not, and says nothing when blind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents import Finding, Severity
from agent.measured_rules import CUSTOM
from agent.metric_rules import FIGURES, sources
from agent.readings import Readings
from agent.rule_table import SPECS
from agent.rules import RULES, Situation, able, findings
from coloc.config.rules import RULE_THRESHOLDS
from coloc.config.whole import Config
from coloc.metric_names import METRICS
from coloc.model import App, Colocation, Inventory
from tests.fakes.figures import Looks

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = 86_400.0
CERTIFICATE = 'coloc_certificate_expiry_timestamp_seconds{domain="v"}'
PROVEN = 'coloc_backup_last_proven_timestamp_seconds{app="blog",project="velo",host="m"}'
AT = NOW.timestamp()
FILES_MAX = 'coloc_filesystem_files_max{mount="/"} 100'
FILES_FREE = 'coloc_filesystem_files_free{{mount="/"}} {}'
BLOG = 'app="blog",project="velo"'
POOL = f'{BLOG},pool="blog"'


def config(**changes: Any) -> Config:
    return Config.model_validate({"coloc": {"name": "test"}} | changes)


def situation(readings: Readings, **changes: Any) -> Situation:
    return replace(Situation(NOW, config(), Colocation(Inventory({}), (), {}), {}, readings=readings), **changes)


def said(rule: str, readings: Readings, **changes: Any) -> list[Finding]:
    return [finding for finding in findings(situation(readings, **changes)) if finding.rule == rule]


def state(*lines: str) -> Readings:
    return Looks().look(*lines)


W, C, I = Severity.WARNING, Severity.CRITICAL, Severity.INFO  # noqa: E741 - a table


UNSAID = 'coloc_outbox_messages{{channel="console"}} {}'
PINGED = "coloc_heartbeat_awaited_since_timestamp_seconds"
OLDEST = 'coloc_outbox_oldest_timestamp_seconds{channel="console"}'


@pytest.mark.parametrize(
    ("rule", "lines", "active", "severity"),
    [
        ("service_down", ['coloc_service_up{unit="mariadb"} 0'], True, C),
        ("service_down", ['coloc_service_up{unit="mariadb"} 1'], False, C),
        ("php_pool_saturated", [f"coloc_app_php_queue{{{POOL}}} 3", f"coloc_app_php_workers{{{POOL}}} 8",
                                f"coloc_app_php_workers_max{{{POOL}}} 8"], True, W),
        ("php_pool_saturated", [f"coloc_app_php_queue{{{POOL}}} 3", f"coloc_app_php_workers{{{POOL}}} 7",
                                f"coloc_app_php_workers_max{{{POOL}}} 8"], False, W),
        ("php_pool_saturated", [f"coloc_app_php_queue{{{POOL}}} 3"], None, W),
        ("database_connections_nearly_out", ['coloc_database_server_connections{kind="mysql"} 90',
                                             'coloc_database_server_connections_max{kind="mysql"} 100'], True, W),
        ("database_connections_nearly_out", ['coloc_database_server_connections{kind="mysql"} 96',
                                             'coloc_database_server_connections_max{kind="mysql"} 100'], True, C),
        ("database_connections_nearly_out", ['coloc_database_server_connections_max{kind="mysql"} 100'], None, W),
        ("database_silent", ['coloc_database_server_success{kind="mysql"} 0'], True, W),
        ("memory_low", ["coloc_machine_memory_size_bytes 100", "coloc_machine_memory_available_bytes 6"], True, W),
        ("memory_low", ["coloc_machine_memory_size_bytes 100", "coloc_machine_memory_available_bytes 3"], True, C),
        ("memory_low", ["coloc_machine_memory_size_bytes 100", "coloc_machine_memory_available_bytes 7"], False, W),
        ("network_down", ["coloc_machine_network_up 0"], True, C),
        ("network_down", ["coloc_machine_network_up 1"], False, C),
        ("files_nearly_out", [FILES_MAX, FILES_FREE.format(10)], True, W),
        ("files_nearly_out", [FILES_MAX, FILES_FREE.format(3)], True, C),
        ("disk_read_only", ['coloc_filesystem_read_only{mount="/"} 1'], True, C),
        ("disk_read_only", ['coloc_filesystem_read_only{mount="/"} 0'], False, C),
        ("certificate_expiring", [f"{CERTIFICATE} {AT + 9 * DAY}"], True, W),
        ("certificate_expiring", [f"{CERTIFICATE} {AT + DAY}"], True, C),
        ("certificate_expiring", [f"{CERTIFICATE} {AT - DAY}"], True, C),
        ("certificate_expiring", [f"{CERTIFICATE} {AT + 11 * DAY}"], False, W),
        ("backup_unproven", [f"{PROVEN} {AT - 8 * DAY}"], True, W),
        ("backup_unproven", [f"{PROVEN} {AT - DAY}"], False, W),
        ("mail_queue_long", ["coloc_mail_open 100"], True, W),
        ("mail_queue_long", ["coloc_mail_open 99"], False, W),
        ("messages_waiting", [UNSAID.format(2), f"{OLDEST} {AT - 1000}"], True, W),
        ("messages_waiting", [UNSAID.format(2), f"{OLDEST} {AT - 4000}"], True, C),
        ("messages_waiting", [UNSAID.format(2), f"{OLDEST} {AT - 800}"], False, W),
        ("messages_waiting", [UNSAID.format(0)], False, W),
        ("messages_waiting", [UNSAID.format(2).replace("console", "matrix"), f"{OLDEST} {AT}"], "silent", W),
        ("heartbeat_failing", [f"{PINGED} {AT - 901}"], True, W),
        ("heartbeat_failing", [f"{PINGED} {AT - 899}"], False, W),
        ("heartbeat_failing", [], "silent", W),
        ("alertmanager_failing", ["coloc_alertmanager_success 0"], True, W),
        ("alertmanager_failing", ["coloc_alertmanager_success 1"], False, W),
        ("alertmanager_failing", [], "silent", W),
        ("reboot_required", ["coloc_reboot_required 1"], True, I),
        ("security_upgrades_waiting", ['coloc_packages_waiting{kind="security"} 2'], True, I),
        ("security_upgrades_waiting", ['coloc_packages_waiting{kind="other"} 2'], "silent", I),
    ],
)  # fmt: skip
def test_what_is_seen_at_one_look(rule: str, lines: list[str], active: bool | str | None, severity: Severity) -> None:
    found = said(rule, state(*lines))
    if active == "silent":
        assert found == []
        return
    (finding,) = found
    assert (finding.active, finding.severity) == (active, severity)


RESTARTS = f'coloc_unit_restarts_total{{{BLOG},unit="blog"}}'
SENT = f"coloc_app_mail_messages_total{{{BLOG}}}"
IO = 'coloc_machine_pressure_stalled_seconds_total{resource="io"}'


@pytest.mark.parametrize(
    ("rule", "series", "steps", "every", "active"),
    [
        ("app_crash_loop", RESTARTS, [5], 5, None),
        ("app_crash_loop", RESTARTS, [5, 6, 7, 8], 30, True),
        ("app_crash_loop", RESTARTS, [5, 6, 7, 0, 1], 30, True),  # systemd forgot its count: what came after counts
        ("app_crash_loop", RESTARTS, [5, 6], 30, None),  # not watched for long enough to say that it is quiet
        ("app_crash_loop", RESTARTS, [5, *[6] * 12], 60, False),
        ("app_crash_loop", RESTARTS, [0, 5, *[5] * 12], 60, False),  # it was long ago
        ("app_oom_killed", f"coloc_app_oom_kills_total{{{BLOG}}}", [1, 1, 2], 30, True),
        ("app_oom_killed", f"coloc_app_oom_kills_total{{{BLOG}}}", [3] * 20, 60, False),
        ("mail_burst", SENT, [0, 150, 300], 60, True),
        ("mail_burst", SENT, [0, *[199] * 40], 60, False),
        ("machine_stalled", IO, [0, 40, 80, 120, 160], 60, True),
        ("machine_stalled", IO, [0, 6, 12, 18, 24], 60, False),
        ("machine_stalled", IO, [0, 40], 60, None),
        (
            "processor_saturated",
            'coloc_machine_pressure_waiting_seconds_total{resource="cpu"}',
            [0, 250, 500],
            300,
            True,
        ),
        (
            "processor_saturated",
            'coloc_machine_pressure_waiting_seconds_total{resource="io"}',
            [0, 250, 500],
            300,
            "silent",
        ),
        ("disk_full_soon", 'coloc_filesystem_free_bytes{mount="/"}', [100, 90, 80], 1200, None),
        ("disk_full_soon", 'coloc_filesystem_free_bytes{mount="/"}', [100, 90, 80, 70, 60], 1200, True),
        ("disk_full_soon", 'coloc_filesystem_free_bytes{mount="/"}', [100, 100.1, 100.2, 100.3, 100.4], 1200, False),
        (
            "disk_full_soon",
            'coloc_filesystem_free_bytes{mount="/"}',
            [1e6, 1e6 - 1, 1e6 - 2, 1e6 - 3, 1e6 - 4],
            1200,
            False,
        ),
    ],
)
def test_what_grows(rule: str, series: str, steps: list[float], every: float, active: bool | str | None) -> None:
    found = said(rule, Looks().grow(series, steps, every))
    if active == "silent":
        assert found == []
        return
    (finding,) = found
    assert finding.active is active


def test_stolen_time_is_a_part_of_all_processors() -> None:
    looks = Looks()
    for step in range(4):
        line = f'coloc_machine_cpu_seconds_total{{mode="steal"}} {step * 60}'
        looks.look(line, "coloc_machine_cpus 2", after=300)
    (finding,) = said("processor_stolen", looks.readings)
    assert (finding.active, finding.value["percent"]) == (True, "10")


@pytest.mark.parametrize(("bad", "good", "active"), [(5, 30, True), (1, 30, False), (5, 5, False)])
def test_errors_are_a_part_of_enough_requests(bad: int, good: int, active: bool) -> None:
    looks = Looks()
    for step in range(6):
        lines = [f'coloc_app_web_requests_total{{{BLOG},code="5xx"}} {step * bad / 5}']
        lines += [f'coloc_app_web_requests_total{{{BLOG},code="2xx"}} {step * good / 5}']
        looks.look(*lines, after=60)
    (finding,) = said("app_errors", looks.readings)
    assert finding.active is active


def test_a_service_that_systemd_gave_up_is_told_at_once() -> None:
    lines = ['coloc_service_up{unit="mariadb"} 0', 'coloc_service_up{unit="nginx"} 0']
    found = said("service_down", state(*lines, 'coloc_service_state{unit="mariadb",state="failed"} 1'))
    waits = {dict(finding.labels)["unit"]: finding.wait for finding in found}
    assert waits == {"mariadb": timedelta(0), "nginx": timedelta(seconds=30)}


def test_an_app_that_systemd_gave_up_is_told_at_once() -> None:
    colocation = Colocation(Inventory({"blog": App("blog", "b", "Blog", services=("blog",))}), (), {})
    readings = state(f'coloc_unit_state{{{BLOG},unit="blog",state="failed"}} 1')
    (finding,) = said("app_down", readings, colocation=colocation, app_up={"blog": False})
    assert (finding.wait, finding.severity) == (timedelta(0), Severity.WARNING)
    (finding,) = said("app_down", state(), colocation=colocation, app_up={"blog": False})
    assert finding.wait == timedelta(seconds=30)


def test_over_is_over_on_the_good_side_of_the_clearing_threshold_only() -> None:
    lines = ["coloc_machine_memory_size_bytes 100", "coloc_machine_memory_available_bytes {}"]

    def active(available: float, *, is_open: bool, **rules: Any) -> bool | None:
        readings = state(*(line.format(available) for line in lines))
        keys = frozenset({said("memory_low", readings)[0].key} if is_open else ())
        return said("memory_low", readings, open_keys=keys, config=config(rules={"memory_low": rules}))[0].active

    assert [active(part, is_open=True) for part in (6, 8.9, 9, 10)] == [True, True, False, False]
    assert [active(part, is_open=False) for part in (6, 8.9)] == [True, False]
    assert [active(part, is_open=True, below="10%", clear="20%") for part in (19, 20)] == [True, False]


def test_every_rule_of_a_figure_is_in_the_table_and_in_coloc_yml_with_its_threshold() -> None:
    assert set(RULE_THRESHOLDS) == set(SPECS) == set(RULES)
    for name, spec in SPECS.items():
        direction = "below" if spec.below is not None else "above"
        assert RULE_THRESHOLDS[name] == ((direction, spec.unit) if spec.unit else None), name
    for name in FIGURES:
        assert all(source in METRICS for source in sources(name))


def test_a_rule_without_its_metric_is_blind_and_one_without_series_is_not() -> None:
    blind = frozenset(FIGURES) - able(situation(Readings()))
    assert blind == frozenset(FIGURES)
    readings = Looks().look("# TYPE coloc_service_up gauge")
    assert "service_down" in able(situation(readings))


OWN = {"queue": {"metric": "coloc_mail_open", "above": 3, "for": "5m", "severity": "critical", "text": "{value} mails"}}


def test_a_rule_of_coloc_yml_speaks_of_each_series() -> None:
    rules = {"low": {"metric": "coloc_app_processes", "labels": {"project": "velo"}, "below": 1, "text": "{app}!"}}
    lines = [f"coloc_app_processes{{{BLOG}}} 0", 'coloc_app_processes{app="x",project="chorale"} 0']
    (finding,) = said(f"{CUSTOM}low", state(*lines), config=config(custom_rules=rules))
    assert (finding.active, finding.value) == (True, {"text": "blog!"})
    (finding,) = said(f"{CUSTOM}queue", state("coloc_mail_open 123"), config=config(custom_rules=OWN))
    assert (finding.wait, finding.severity, finding.value) == (timedelta(minutes=5), C, {"text": "120 mails"})


def test_a_rule_of_coloc_yml_may_look_at_growth_and_at_ages() -> None:
    rules = {"web": {"metric": "coloc_app_web_bytes_total", "over": "10m", "above": "1M"}}
    looks = Looks(config(custom_rules=rules))
    looks.grow(f"coloc_app_web_bytes_total{{{BLOG}}}", [0, 2e6], 60)
    (finding,) = said(f"{CUSTOM}web", looks.readings, config=config(custom_rules=rules))
    assert finding.active is True
    rules = {"old": {"metric": "coloc_yunohost_catalog_timestamp_seconds", "above": "7d"}}
    readings = state(f"coloc_yunohost_catalog_timestamp_seconds {NOW.timestamp() - 8 * DAY}")
    (finding,) = said(f"{CUSTOM}old", readings, config=config(custom_rules=rules))
    assert finding.active is True


def test_a_rule_that_coloc_yml_no_longer_has_is_over_and_one_without_its_metric_is_blind() -> None:
    keys = frozenset({f"{CUSTOM}gone{{}}", f"{CUSTOM}queue{{}}"})
    seen = able(situation(Readings(), open_keys=keys, config=config(custom_rules=OWN)))
    assert f"{CUSTOM}gone" in seen
    assert f"{CUSTOM}queue" not in seen


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(1, 600))
def test_growth_is_never_negative_and_never_more_than_what_was_seen(steps: list[float], every: float) -> None:
    looks = Looks().grow(SENT, steps, every)
    for _, grown in looks.increase("coloc_app_mail_messages_total", 3600):
        assert 0 <= grown <= sum(steps)
