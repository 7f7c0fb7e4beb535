"""The rules as a table: what the agent's judge (`rules.py`) and the alert rules for Prometheus both are made of.

It judges nothing. What people read of a rule stands in `alerts/messages.py` and `alerts/measured_words.py`, what to do
about it in `docs/runbook/`; what coloc.yml changes of a rule is laid over this table. Rules that only compare a figure
with a threshold stand in `measured_table.py`.

In expressions HERE stands for the labels that choose a colocation, SEVERITY for the rule's own, and
ABOVE, BELOW, SEVERE, CLEAR, LATE and OVERDUE for thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from agent.incidents import Severity
from agent.measured_table import MEASURED
from agent.rule_spec import Concern, RuleSpec, served_levels

_DISK = "coloc_filesystem_used_ratio{HERE}"
_QUOTA = "coloc_quota_used_ratio{HERE} and on (coloc, instance, project, resource) coloc_quota_step{HERE}"

_TABLE = (
    RuleSpec(
        "app_down",
        ("app", "project"),
        served_levels("coloc_app_up{HERE} == 0"),
        Concern.APP,
        wait=timedelta(seconds=30),
        clear_after=timedelta(seconds=30),
    ),
    RuleSpec(
        "collector_failing",
        ("collector",),
        ((Severity.WARNING, "coloc_collector_success{HERE} == 0"),),
        wait=timedelta(minutes=5),
        clear_after=timedelta(minutes=1),
    ),
    RuleSpec("host_unreachable", ("host",), ((Severity.WARNING, "coloc_backup_host_up{HERE} == 0"),), Concern.DATA),
    RuleSpec(
        "backup_failed",
        ("app", "project", "host"),
        (
            (
                Severity.WARNING,
                "coloc_backup_last_try_success{HERE} == 0"
                " unless on (coloc, instance, host) coloc_backup_host_up{HERE} == 0",
            ),
        ),
        Concern.DATA,
    ),
    RuleSpec(
        "backup_late",
        ("app", "project", "host"),
        ((Severity.CRITICAL, "time() - coloc_backup_awaited_since_timestamp_seconds{HERE} > LATE"),),
        Concern.DATA,
    ),
    RuleSpec(
        "backup_shrunk",
        ("app", "project", "host"),
        ((Severity.WARNING, "coloc_backup_size_ratio{HERE} < 0.5"),),
        Concern.DATA,
    ),
    RuleSpec(
        "host_nearly_full",
        ("host",),
        (
            (
                Severity.WARNING,
                "coloc_backup_host_used_ratio{HERE} >= ABOVE or coloc_backup_host_free_bytes{HERE} < 1e9",
            ),
        ),
        Concern.DATA,
        above=0.90,
        unit="ratio",
    ),
    RuleSpec("key_not_escrowed", (), ((Severity.WARNING, "coloc_backup_key_escrowed{HERE} == 0"),), Concern.DATA),
    RuleSpec(
        "drill_failed",
        ("app", "project", "host"),
        ((Severity.WARNING, "coloc_backup_drill_last_try_success{HERE} == 0"),),
        Concern.DATA,
    ),
    RuleSpec(
        "check_failed",
        ("host",),
        ((Severity.CRITICAL, "coloc_backup_check_success{HERE} == 0"),),
        Concern.DATA,
    ),
    RuleSpec(
        "drill_overdue",
        ("app", "project", "host"),
        ((Severity.WARNING, "time() - coloc_backup_drill_awaited_since_timestamp_seconds{HERE} > OVERDUE"),),
        Concern.DATA,
    ),
    RuleSpec(
        "disk_nearly_full",
        ("filesystem",),
        (
            (
                Severity.WARNING,
                f"{_DISK} >= ABOVE or ({_DISK} >= CLEAR and on (coloc, instance, mount)"
                ' ALERTS{alertname="ColocDiskNearlyFull",severity="SEVERITY",alertstate="firing",HERE})',
            ),
            (Severity.CRITICAL, f"{_DISK} >= SEVERE"),
        ),
        Concern.MACHINE,
        wait=timedelta(seconds=30),
        clear_after=timedelta(minutes=1),
        above=0.90,
        severe=0.97,
        margin=0.03,
        unit="ratio",
        metric_labels={"filesystem": "mount"},
    ),
    RuleSpec(
        "quota_exceeded",
        ("project", "resource"),
        ((Severity.WARNING, f"{_QUOTA} >= 2"), (Severity.INFO, f"{_QUOTA} == 1")),
    ),
    RuleSpec(
        "maintenance_overrun",
        ("maintenance", "app", "project"),
        ((Severity.WARNING, "time() - coloc_maintenance_planned_end_timestamp_seconds{HERE} > 0"),),
    ),
    RuleSpec("config_invalid", (), ((Severity.WARNING, "coloc_config_last_reload_success{HERE} == 0"),)),
)
SPECS: Mapping[str, RuleSpec] = {spec.name: spec for spec in (*_TABLE, *MEASURED)}


def concern_of(rule: str, labels: Mapping[str, str]) -> Concern:
    """What an incident is about; a rule that coloc.yml adds is about an app when it names one, else the machine."""
    spec = SPECS.get(rule)
    if spec is not None:
        return spec.concern
    return Concern.APP if "app" in labels else Concern.MACHINE
