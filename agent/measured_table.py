"""The rules that compare a figure with a threshold, as a table (see `rule_table.py`); figures: `metric_rules.py`."""

from __future__ import annotations

from datetime import timedelta

from agent.incidents import Severity
from agent.rule_spec import Concern, RuleSpec, served_levels

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_CRITICAL, _WARNING, _INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_MOUNT = {"filesystem": "mount"}

_FILES = "1 - coloc_filesystem_files_free{HERE} / coloc_filesystem_files_max{HERE}"
_FREE = "coloc_machine_memory_available_bytes{HERE} / coloc_machine_memory_size_bytes{HERE}"
_STALLED = "rate(coloc_machine_pressure_stalled_seconds_total{HERE}[5m])"
_USED = "coloc_database_server_connections{HERE} / coloc_database_server_connections_max{HERE}"
_UNSAID = "(time() - coloc_outbox_oldest_timestamp_seconds{HERE})"
_ENDS = "coloc_certificate_expiry_timestamp_seconds{HERE} - time()"
_SENT = "increase(coloc_app_mail_messages_total{HERE}[1h])"
_FULL_AT = "coloc_filesystem_free_bytes{HERE} / -deriv(coloc_filesystem_free_bytes{HERE}[6h])"
_FALLS = "deriv(coloc_filesystem_free_bytes{HERE}[6h]) < 0"
_SOON = f"{_FULL_AT} <= BELOW and {_FALLS}"
_REQUESTS = "sum without (code) (increase(coloc_app_web_requests_total{HERE}[5m]))"
_ERRORS = 'sum without (code) (increase(coloc_app_web_requests_total{code="5xx",HERE}[5m]))'
_QUEUE = "coloc_app_php_queue{HERE} >= ABOVE and coloc_app_php_workers{HERE} >= coloc_app_php_workers_max{HERE}"

MEASURED = (
    RuleSpec(
        "service_down",
        ("unit",),
        ((_CRITICAL, "coloc_service_up{HERE} == 0"),),
        Concern.MACHINE,
        wait=_MINUTE / 2,
        clear_after=_MINUTE / 2,
        above=1,
    ),
    RuleSpec(
        "app_crash_loop",
        ("app", "project", "unit"),
        served_levels("increase(coloc_unit_restarts_total{HERE}[10m]) >= ABOVE"),
        Concern.APP,
        clear_after=10 * _MINUTE,
        above=3,
        unit="count",
    ),
    RuleSpec(
        "app_oom_killed",
        ("app", "project"),
        ((_WARNING, "increase(coloc_app_oom_kills_total{HERE}[15m]) >= ABOVE"),),
        Concern.APP,
        clear_after=5 * _MINUTE,
        above=1,
        unit="count",
    ),
    RuleSpec(
        "app_errors",
        ("app", "project"),
        (
            (_WARNING, f"{_ERRORS} / ({_REQUESTS} >= 20) >= ABOVE"),
            (
                _CRITICAL,
                f"{_ERRORS} / ({_REQUESTS} >= 20) >= SEVERE and on (coloc, instance, app) "
                "coloc_app_service_level{HERE} > 0",
            ),
        ),
        Concern.APP,
        wait=2 * _MINUTE,
        clear_after=5 * _MINUTE,
        above=0.10,
        severe=0.50,
        margin=0.05,
        unit="ratio",
    ),
    RuleSpec(
        "php_pool_saturated",
        ("app", "project", "pool"),
        ((_WARNING, _QUEUE),),
        Concern.APP,
        wait=2 * _MINUTE,
        clear_after=2 * _MINUTE,
        above=1,
        unit="count",
    ),
    RuleSpec(
        "database_connections_nearly_out",
        ("kind",),
        ((_WARNING, f"{_USED} >= ABOVE"), (_CRITICAL, f"{_USED} >= SEVERE")),
        Concern.MACHINE,
        wait=_MINUTE,
        clear_after=5 * _MINUTE,
        above=0.85,
        severe=0.95,
        margin=0.10,
        unit="ratio",
    ),
    RuleSpec(
        "database_silent",
        ("kind",),
        ((_WARNING, "coloc_database_server_success{HERE} == 0"),),
        Concern.HOUSE,
        wait=10 * _MINUTE,
        clear_after=_MINUTE,
        above=1,
    ),
    RuleSpec(
        "machine_stalled",
        ("resource",),
        ((_WARNING, f"{_STALLED} >= ABOVE"), (_CRITICAL, f"{_STALLED} >= SEVERE")),
        Concern.MACHINE,
        wait=2 * _MINUTE,
        clear_after=5 * _MINUTE,
        above=0.20,
        severe=0.50,
        margin=0.10,
        unit="ratio",
    ),
    RuleSpec(
        "processor_saturated",
        (),
        ((_WARNING, 'rate(coloc_machine_pressure_waiting_seconds_total{resource="cpu",HERE}[10m]) >= ABOVE'),),
        Concern.MACHINE,
        wait=5 * _MINUTE,
        clear_after=5 * _MINUTE,
        above=0.60,
        margin=0.10,
        unit="ratio",
    ),
    RuleSpec(
        "processor_stolen",
        (),
        (
            (
                _WARNING,
                'rate(coloc_machine_cpu_seconds_total{mode="steal",HERE}[10m])'
                " / on (coloc, instance) coloc_machine_cpus{HERE} >= ABOVE",
            ),
        ),
        Concern.MACHINE,
        wait=10 * _MINUTE,
        clear_after=10 * _MINUTE,
        above=0.10,
        margin=0.03,
        unit="ratio",
    ),
    RuleSpec(
        "memory_low",
        (),
        ((_WARNING, f"{_FREE} <= BELOW"), (_CRITICAL, f"{_FREE} <= SEVERE")),
        Concern.MACHINE,
        wait=_MINUTE,
        clear_after=2 * _MINUTE,
        below=0.06,
        severe=0.03,
        margin=0.03,
        unit="ratio",
    ),
    RuleSpec(
        "network_down",
        (),
        ((_CRITICAL, "coloc_machine_network_up{HERE} == 0"),),
        Concern.MACHINE,
        wait=_MINUTE / 2,
        clear_after=_MINUTE / 2,
        above=1,
    ),
    RuleSpec(
        "files_nearly_out",
        ("filesystem",),
        ((_WARNING, f"{_FILES} >= ABOVE"), (_CRITICAL, f"{_FILES} >= SEVERE")),
        Concern.MACHINE,
        wait=_MINUTE / 2,
        clear_after=_MINUTE,
        above=0.90,
        severe=0.97,
        margin=0.03,
        unit="ratio",
        metric_labels=_MOUNT,
    ),
    RuleSpec(
        "disk_read_only",
        ("filesystem",),
        ((_CRITICAL, "coloc_filesystem_read_only{HERE} == 1"),),
        Concern.MACHINE,
        clear_after=_MINUTE / 2,
        above=1,
        metric_labels=_MOUNT,
    ),
    RuleSpec(
        "disk_full_soon",
        ("filesystem",),
        ((_WARNING, _SOON), (_CRITICAL, _SOON.replace("BELOW", "SEVERE"))),
        Concern.MACHINE,
        wait=15 * _MINUTE,
        clear_after=30 * _MINUTE,
        below=86_400,
        severe=4 * 3600,
        margin=6 * 3600,
        unit="seconds",
        metric_labels=_MOUNT,
    ),
    RuleSpec(
        "certificate_expiring",
        ("domain",),
        ((_WARNING, f"{_ENDS} <= BELOW"), (_CRITICAL, f"{_ENDS} <= SEVERE")),
        Concern.HOUSE,
        wait=10 * _MINUTE,
        below=10 * 86_400,
        severe=2 * 86_400,
        margin=86_400,
        unit="seconds",
    ),
    RuleSpec(
        "backup_unproven",
        ("app", "project", "host"),
        ((_WARNING, "time() - coloc_backup_last_proven_timestamp_seconds{HERE} >= ABOVE"),),
        Concern.DATA,
        above=7 * 86_400,
        unit="seconds",
    ),
    RuleSpec(
        "mail_burst",
        ("app", "project"),
        ((_WARNING, f"{_SENT} >= ABOVE"), (_CRITICAL, f"{_SENT} >= SEVERE")),
        Concern.MACHINE,  # the whole server's mail is refused elsewhere for it, whatever the app is worth
        clear_after=10 * _MINUTE,
        above=200,
        severe=1000,
        margin=50,
        unit="count",
    ),
    RuleSpec(
        "mail_queue_long",
        (),
        ((_WARNING, "coloc_mail_open{HERE} >= ABOVE"),),
        Concern.HOUSE,
        wait=30 * _MINUTE,
        clear_after=5 * _MINUTE,
        above=100,
        margin=20,
        unit="count",
    ),
    RuleSpec(
        "messages_waiting",
        ("channel",),
        (
            (_WARNING, f"{_UNSAID} >= ABOVE"),
            (_CRITICAL, f"{_UNSAID} >= SEVERE"),
        ),
        Concern.MACHINE,
        wait=_MINUTE,
        clear_after=_MINUTE,
        above=15 * 60,
        severe=60 * 60,
        unit="seconds",
    ),
    RuleSpec(
        "heartbeat_failing",
        (),
        ((_WARNING, "(time() - coloc_heartbeat_awaited_since_timestamp_seconds{HERE}) >= ABOVE"),),
        wait=_MINUTE,
        clear_after=_MINUTE,
        above=15 * 60,
        unit="seconds",
    ),
    RuleSpec(
        "alertmanager_failing",
        (),
        ((_WARNING, "coloc_alertmanager_success{HERE} == 0"),),
        wait=15 * _MINUTE,
        clear_after=_MINUTE,
        above=1,
    ),
    RuleSpec(
        "reboot_required",
        (),
        ((_INFO, "coloc_reboot_required{HERE} == 1"),),
        wait=_DAY,
        above=1,
    ),
    RuleSpec(
        "security_upgrades_waiting",
        (),
        ((_INFO, 'coloc_packages_waiting{kind="security",HERE} >= ABOVE'),),
        wait=3 * _DAY,
        above=1,
        unit="count",
    ),
)
