"""Each rule as a table: what holds, what does not, and what cannot be told now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.backup_store import BackupStanding
from agent.drill_store import CheckStanding, DrillStanding
from agent.host_store import Escrow, Room
from agent.incidents import Finding, Severity
from agent.maintenance.plan import Maintenance, Phase
from agent.metric_rules import FIGURES
from agent.quotas import QuotaStep, Standing
from agent.rules import RULES, CollectorHealth, Situation, able, findings
from collectors.usage import FilesystemUsage
from coloc.config.whole import Config
from coloc.model import App, AppState, Colocation, Inventory

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BLOG = App("blog", "blog", "Blog", services=("blog",), install_dir="/var/www/blog")
STANDING = BackupStanding("blog", "merle", NOW - HOUR, True, "", NOW - HOUR, None, "a", 1)


def config(**changes: Any) -> Config:
    data: dict[str, Any] = {
        "coloc": {"name": "test"},
        "stage": "alert",
        "projects": {"chorale": {"quotas": {"disk": 100}}},
        "backup": {"hosts": {"merle": {"path": "/m"}}},
    }
    return Config.model_validate(data | changes)


def situation(**changes: Any) -> Situation:
    colocation = Colocation(Inventory({"blog": BLOG}), ("chorale",), {"blog": {"chorale": 1.0}})
    usual = Situation(NOW, config(), colocation, {"blog": True}, backups=(STANDING,))
    return replace(usual, **changes)


@pytest.mark.parametrize(
    ("room", "active"),
    [
        (Room(None, None, None), None),
        (Room(2_000_000_000, None, None), False),
        (Room(999_999_999, None, None), True),
        (Room(None, 89, 100), False),
        (Room(None, 90, 100), True),
        (Room(None, 90, None), None),
    ],
)
def test_a_host_is_nearly_full_below_a_gigabyte_or_near_its_quota(room: Room, active: bool | None) -> None:
    finding = one("host_nearly_full", rooms={"merle": room})
    assert (finding.active, bool(finding.value)) == (active, active is True)


@pytest.mark.parametrize(("ratio", "active"), [(None, None), (0.49, True), (0.5, False), (1.2, False)])
def test_a_backup_that_shrank_by_half_is_told(ratio: float | None, active: bool | None) -> None:
    known = {} if ratio is None else {("blog", "merle"): ratio}
    assert one("backup_shrunk", size_ratios=known).active is active


def test_a_key_that_nobody_else_holds_is_told_with_what_to_do() -> None:
    assert one("key_not_escrowed", escrow=None).active is None
    assert one("key_not_escrowed", escrow=Escrow(True, "")).active is False
    finding = one("key_not_escrowed", escrow=Escrow(False, "never given"))
    assert (finding.active, finding.value) == (True, {"why": "never given"})


DRILL = DrillStanding("blog", "merle", NOW, False, "table 'post' came back with 0 rows", None, None, 1.0)


def test_a_drill_that_failed_is_told_with_its_sentence_until_one_goes_well() -> None:
    finding = one("drill_failed", drills=(DRILL,))
    assert (finding.active, finding.severity) == (True, Severity.WARNING)
    assert finding.value["why"] == "table 'post' came back with 0 rows"
    assert one("drill_failed", drills=(replace(DRILL, last_try_ok=True, ratio=0.1),)).active is False
    assert say("drill_failed", drills=(replace(DRILL, app="gone"),)) == []


@pytest.mark.parametrize(
    ("days", "whole_days", "active"), [(44, None, False), (46, None, True), (400, 44, False), (400, 46, True)]
)
def test_a_drill_is_overdue_when_none_was_whole_for_so_long(days: int, whole_days: int | None, active: bool) -> None:
    whole_at = None if whole_days is None else NOW - timedelta(days=whole_days)
    seen = {"blog": NOW - timedelta(days=days)}
    part = replace(DRILL, last_try_ok=True, ratio=0.9, whole_at=whole_at)
    assert one("drill_overdue", first_seen=seen, drills=(part,)).active is active


def test_no_drill_is_overdue_where_nothing_was_backed_up_or_drills_are_off() -> None:
    seen = {"blog": NOW - timedelta(days=400)}
    assert say("drill_overdue", first_seen=seen, backups=()) == []
    off = config(backup={"hosts": {"merle": {"path": "/m"}}, "drill": {"off": True}})
    assert say("drill_overdue", first_seen=seen, config=off) == []


@pytest.mark.parametrize("ok", [True, False])
def test_a_damaged_repository_is_told_until_it_is_found_good(ok: bool) -> None:
    check = CheckStanding("merle", NOW, ok, "" if ok else "segment 3 is broken", None)
    finding = one("check_failed", checks=(check, replace(check, host="gone")))
    assert (finding.active, finding.severity) == (not ok, Severity.CRITICAL)


def say(rule: str, **changes: Any) -> list[Finding]:
    return list(RULES[rule](situation(**changes)))


def one(rule: str, **changes: Any) -> Finding:
    (finding,) = say(rule, **changes)
    return finding


def with_app(app: App) -> Colocation:
    return Colocation(Inventory({app.id: app}), (), {})


@pytest.mark.parametrize(("up", "active"), [(True, False), (False, True), (None, None)])
def test_app_down(up: bool | None, active: bool | None) -> None:
    finding = one("app_down", app_up={"blog": up})
    assert (finding.active, finding.severity) == (active, Severity.CRITICAL)
    assert finding.labels == (("app", "blog"), ("project", "chorale"))


def test_app_down_says_nothing_of_leftovers_and_of_apps_that_nobody_looked_at() -> None:
    assert say("app_down", app_up={}) == []
    assert say("app_down", colocation=with_app(replace(BLOG, state=AppState.STRAY)), app_up={"blog": False}) == []


@pytest.mark.parametrize(("since", "active"), [(None, False), (NOW, True)])
def test_collector_failing(since: datetime | None, active: bool) -> None:
    finding = one("collector_failing", collectors=(CollectorHealth("disk", since, "x" * 999),))
    assert finding.active is active
    assert len(finding.value.get("error", "")) == (300 if active else 0)


@pytest.mark.parametrize(
    ("hosts", "active"),
    [({}, None), ({"merle": (True, "")}, False), ({"merle": (False, "timeout")}, True), ({"gone": (False, "x")}, None)],
)
def test_host_unreachable(hosts: dict[str, tuple[bool, str]], active: bool | None) -> None:
    assert one("host_unreachable", hosts=hosts).active is active


@pytest.mark.parametrize(
    ("standing", "hosts", "active"),
    [
        (STANDING, {}, False),
        (replace(STANDING, last_try_ok=False, failure="borg exited with 2"), {}, True),
        (replace(STANDING, last_try_ok=False), {"merle": (True, "")}, True),
        # The host is down: it is told once, by host_unreachable; what failed before is neither told nor over.
        (replace(STANDING, last_try_ok=False), {"merle": (False, "timeout")}, None),
        (STANDING, {"merle": (False, "timeout")}, False),
        (replace(STANDING, last_try_ok=False, last_try_at=None), {}, False),
    ],
)
def test_backup_failed(standing: BackupStanding, hosts: dict[str, tuple[bool, str]], active: bool | None) -> None:
    assert one("backup_failed", backups=(standing,), hosts=hosts).active is active


def test_backup_failed_says_nothing_of_hosts_and_apps_that_are_gone() -> None:
    gone = (replace(STANDING, host="old", last_try_ok=False), replace(STANDING, app="old", last_try_ok=False))
    assert say("backup_failed", backups=gone) == []


@pytest.mark.parametrize(
    ("success", "seen", "active"),
    [
        (NOW - 36 * HOUR, None, False),
        (NOW - 36.1 * HOUR, None, True),
        (None, None, None),
        (None, NOW - 36 * HOUR, False),  # a new app has as long as any other
        (None, NOW - 36.1 * HOUR, True),
        (NOW - HOUR, NOW - 99 * HOUR, False),
        (NOW + timedelta(minutes=5), NOW - 99 * HOUR, False),  # a clock set back a little
        (NOW + timedelta(days=3650), NOW - 99 * HOUR, True),  # a clock that was wrong: it would keep us quiet for years
        (None, NOW + timedelta(days=3650), False),
    ],
)
def test_backup_late(success: datetime | None, seen: datetime | None, active: bool | None) -> None:
    finding = one(
        "backup_late",
        backups=(replace(STANDING, last_success_at=success),),
        first_seen={"blog": seen} if seen else {},
    )
    assert finding.active is active


def test_backup_late_counts_an_app_without_any_backup() -> None:
    assert one("backup_late", backups=(), first_seen={"blog": NOW - 48 * HOUR}).active is True


@pytest.mark.parametrize(
    "changes",
    [
        {"config": config(stage="observe")},
        {"config": config(backup={})},
        {"colocation": with_app(replace(BLOG, state=AppState.PARTIAL))},
        {"colocation": with_app(replace(BLOG, install_dir=None))},
    ],
)
def test_backup_late_says_nothing_of_what_is_not_backed_up(changes: dict[str, Any]) -> None:
    assert say("backup_late", backups=(), first_seen={"blog": NOW - 999 * HOUR}, **changes) == []


@pytest.mark.parametrize(
    ("ratio", "is_open", "active", "severity"),
    [
        (0.899, False, False, Severity.WARNING),
        (0.90, False, True, Severity.WARNING),
        (0.97, False, True, Severity.CRITICAL),
        (0.899, True, True, Severity.WARNING),  # over only when it is three points emptier
        (0.871, True, True, Severity.WARNING),
        (0.869, True, False, Severity.WARNING),
    ],
)
def test_disk_nearly_full(ratio: float, is_open: bool, active: bool, severity: Severity) -> None:
    disks = (FilesystemUsage("/", ratio, 1.0, False),)
    key = one("disk_nearly_full", filesystems=disks).key
    finding = one("disk_nearly_full", filesystems=disks, open_keys=frozenset({key} if is_open else ()))
    assert (finding.active, finding.severity) == (active, severity)


def test_a_wavering_disk_is_one_incident() -> None:
    seen, is_open = [], frozenset[str]()
    for ratio in (0.89, 0.905, 0.895, 0.905, 0.88, 0.86, 0.89):
        finding = one("disk_nearly_full", filesystems=(FilesystemUsage("/", ratio, 1.0, False),), open_keys=is_open)
        is_open = frozenset({finding.key} if finding.active else ())
        seen.append(finding.active)
    assert seen == [False, True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("step", "used", "active", "severity", "percent"),
    [
        (QuotaStep.FINE, 10.0, False, Severity.WARNING, None),
        (QuotaStep.WARN, 91.0, True, Severity.INFO, "90"),
        (QuotaStep.THROTTLE, 204.0, True, Severity.WARNING, "200"),
        (QuotaStep.HARD, None, None, Severity.WARNING, None),  # not measured: it stays as it was
    ],
)
def test_quota_exceeded(
    step: QuotaStep, used: float | None, active: bool | None, severity: Severity, percent: str | None
) -> None:
    finding = one("quota_exceeded", quotas=(Standing("chorale", "disk", step, NOW, used),))
    assert (finding.active, finding.severity, finding.value.get("percent")) == (active, severity, percent)


@pytest.mark.parametrize(("held", "told"), [({}, "throttle"), ({("chorale", "", "disk"): "throttle"}, "held:throttle")])
def test_what_the_kernel_holds_is_told_apart_from_a_simulation(
    held: dict[tuple[str, str, str], str], told: str
) -> None:
    finding = one("quota_exceeded", quotas=(Standing("chorale", "disk", QuotaStep.THROTTLE, NOW, 204.0),), held=held)
    assert finding.value["step"] == told


def test_quota_exceeded_of_a_project_or_limit_that_is_gone_does_not_fail() -> None:
    for project, resource in (("gone", "disk"), ("chorale", "cpu")):
        assert one("quota_exceeded", quotas=(Standing(project, resource, QuotaStep.WARN, NOW, 1.0),)).active


@pytest.mark.parametrize(("error", "active"), [(None, False), ("line 3: …", True)])
def test_config_invalid(error: str | None, active: bool) -> None:
    assert one("config_invalid", config_error=error).active is active


def test_what_people_change_of_a_rule_counts_and_off_is_off() -> None:
    changed = config(
        rules={
            "app_down": {"wait": "5m", "clear_after": "1h", "severity": "info"},
            "backup_late": {"off": True},
            "disk_nearly_full": {"above": 0.5},
        }
    )
    disks = (FilesystemUsage("/", 0.6, 1.0, False),)
    found = {finding.rule: finding for finding in findings(situation(config=changed, filesystems=disks))}
    down = found["app_down"]
    assert (down.wait, down.clear_after, down.severity) == (timedelta(minutes=5), HOUR, Severity.INFO)
    assert "backup_late" not in found
    assert found["disk_nearly_full"].active is True


def test_a_rule_that_sees_nothing_is_not_able_and_the_others_are() -> None:
    told = frozenset(RULES) - frozenset(FIGURES)
    assert told - able(situation(app_up={})) == {"app_down", "disk_nearly_full", "collector_failing"}
    all_seen = situation(filesystems=(FilesystemUsage("/", 0.1, 1.0, False),), collectors=(CollectorHealth("a", None),))
    assert told <= able(all_seen)


RUNNING = Maintenance("Upgrade", "léa", NOW, NOW, NOW + timedelta(hours=1), app="blog", phase=Phase.RUNNING, id=3)


@pytest.mark.parametrize(("after", "active"), [(59, False), (60, True), (600, True)])
def test_a_maintenance_overruns_from_its_planned_end_on(after: int, active: bool) -> None:
    found = one("maintenance_overrun", now=NOW + timedelta(minutes=after), maintenances=(RUNNING,))
    assert found.active is active
    assert dict(found.labels) == {"maintenance": "3", "app": "blog", "project": "chorale"}
    assert one("maintenance_overrun", maintenances=(replace(RUNNING, app=""),)).labels == (("maintenance", "3"),)


def test_every_finding_carries_the_name_of_its_rule_and_texts_alone() -> None:
    whole = situation(
        collectors=(CollectorHealth("a", NOW, "e"),),
        filesystems=(FilesystemUsage("/", 1.0, 0.0, False),),
        quotas=(Standing("chorale", "disk", QuotaStep.WARN, NOW, 1.0),),
        hosts={"merle": (False, "x")},
        config_error="x",
        drills=(DRILL,),
        checks=(CheckStanding("merle", NOW, False, "x", None),),
        maintenances=(RUNNING,),
    )
    found = findings(whole)
    assert {finding.rule for finding in found} == set(RULES) - set(FIGURES)
    for finding in found:
        assert all(isinstance(text, str) for pair in finding.value.items() for text in pair)
        assert len({name for name, _ in finding.labels}) == len(finding.labels)
