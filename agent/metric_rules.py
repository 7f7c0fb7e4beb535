"""The rules that compare a figure with a threshold: what figure, of which subject, over how long. Pure.

A figure is None when nothing can be told of its subject now. Thresholds and severities stand in `rule_table.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from agent.readings import AtLeast, Readings

Figures = Iterator[tuple[dict[str, str], float | None]]

TEN_MINUTES, HOUR = 600.0, 3600.0
_TREND, _LEAST_TREND = 6 * HOUR, HOUR
_FEWEST_REQUESTS = 20  # within the span: below it a part of them says nothing

# What must be remembered for the rules below, and for how long.
SPANS: Mapping[str, float] = {
    "coloc_unit_restarts_total": TEN_MINUTES,
    "coloc_app_oom_kills_total": 1.5 * TEN_MINUTES,
    "coloc_app_mail_messages_total": HOUR,
    "coloc_app_web_requests_total": TEN_MINUTES,
    "coloc_machine_pressure_stalled_seconds_total": TEN_MINUTES / 2,
    "coloc_machine_pressure_waiting_seconds_total": TEN_MINUTES,
    "coloc_machine_cpu_seconds_total": TEN_MINUTES,
    "coloc_filesystem_free_bytes": _TREND,
}


def _grown(name: str, seconds: float) -> Callable[[Readings, datetime], Figures]:
    def figures(readings: Readings, _: datetime) -> Figures:
        yield from readings.increase(name, seconds)

    return figures


def _php_pool_saturated(readings: Readings, _: datetime) -> Figures:
    for labels, queue in readings.now("coloc_app_php_queue"):
        workers = readings.one("coloc_app_php_workers", **labels)
        most = readings.one("coloc_app_php_workers_max", **labels)
        yield labels, None if workers is None or most is None else queue if workers >= most else 0.0


def _database_connections(readings: Readings, _: datetime) -> Figures:
    for labels, most in readings.now("coloc_database_server_connections_max"):
        used = readings.one("coloc_database_server_connections", **labels)
        yield labels, used / most if used is not None and most else None


def _is_zero(name: str) -> Callable[[Readings, datetime], Figures]:
    def figures(readings: Readings, _: datetime) -> Figures:
        for labels, value in readings.now(name):
            yield labels, float(value == 0)

    return figures


def _value(name: str, **labels: str) -> Callable[[Readings, datetime], Figures]:
    def figures(readings: Readings, _: datetime) -> Figures:
        for found, value in readings.now(name, **labels):
            yield {label: found[label] for label in found if label not in labels}, value

    return figures


def _machine_stalled(readings: Readings, _: datetime) -> Figures:
    yield from readings.per_second("coloc_machine_pressure_stalled_seconds_total", TEN_MINUTES / 2)


def _processor_saturated(readings: Readings, _: datetime) -> Figures:
    name = "coloc_machine_pressure_waiting_seconds_total"
    for _labels, part in readings.per_second(name, TEN_MINUTES, resource="cpu"):
        yield {}, part


def _processor_stolen(readings: Readings, _: datetime) -> Figures:
    processors = readings.one("coloc_machine_cpus")
    for _labels, stolen in readings.per_second("coloc_machine_cpu_seconds_total", TEN_MINUTES, mode="steal"):
        yield {}, stolen / processors if stolen is not None and processors else None


def _memory_low(readings: Readings, _: datetime) -> Figures:
    size = readings.one("coloc_machine_memory_size_bytes")
    for _labels, available in readings.now("coloc_machine_memory_available_bytes"):
        yield {}, available / size if size else None


def _files_nearly_out(readings: Readings, _: datetime) -> Figures:
    for labels, most in readings.now("coloc_filesystem_files_max"):
        free = readings.one("coloc_filesystem_files_free", **labels)
        yield labels, 1 - free / most if free is not None and most else None


def _disk_full_soon(readings: Readings, _: datetime) -> Figures:
    yield from readings.seconds_to_zero("coloc_filesystem_free_bytes", _TREND, _LEAST_TREND)


def _certificate_expiring(readings: Readings, now: datetime) -> Figures:
    for labels, ends in readings.now("coloc_certificate_expiry_timestamp_seconds"):
        yield labels, ends - now.timestamp()


def _backup_unproven(readings: Readings, now: datetime) -> Figures:
    """How long the last proof is ago, of what is backed up; without any proof nothing is said before one was made."""
    for labels, proven in readings.now("coloc_backup_last_proven_timestamp_seconds"):
        yield labels, now.timestamp() - proven


def _app_errors(readings: Readings, _: datetime) -> Figures:
    sums: dict[tuple[str, str], list[float]] = {}
    unsure: set[tuple[str, str]] = set()
    for labels, grown in readings.increase("coloc_app_web_requests_total", TEN_MINUTES / 2):
        subject = labels["app"], labels["project"]
        bad, every = sums.setdefault(subject, [0.0, 0.0])
        sums[subject] = [bad + (grown if labels["code"] == "5xx" else 0.0), every + grown]
        unsure |= {subject} if isinstance(grown, AtLeast) else set()
    for (app, project), (bad, every) in sums.items():
        part = bad / every if every >= _FEWEST_REQUESTS else 0.0
        yield {"app": app, "project": project}, AtLeast(part) if (app, project) in unsure else part


def _messages_waiting(readings: Readings, now: datetime) -> Figures:
    """How long the oldest message of each channel has waited to be said."""
    for labels, waiting in readings.now("coloc_outbox_messages"):
        oldest = readings.one("coloc_outbox_oldest_timestamp_seconds", **labels)
        yield labels, now.timestamp() - oldest if waiting and oldest is not None else 0.0


def _heartbeat_failing(readings: Readings, now: datetime) -> Figures:
    """How long no ping has arrived; nothing without `heartbeat:`."""
    for labels, since in readings.now("coloc_heartbeat_awaited_since_timestamp_seconds"):
        yield labels, now.timestamp() - since


FIGURES: Mapping[str, Callable[[Readings, datetime], Figures]] = {
    "service_down": _is_zero("coloc_service_up"),
    "app_crash_loop": _grown("coloc_unit_restarts_total", TEN_MINUTES),
    "app_oom_killed": _grown("coloc_app_oom_kills_total", 1.5 * TEN_MINUTES),
    "app_errors": _app_errors,
    "php_pool_saturated": _php_pool_saturated,
    "database_connections_nearly_out": _database_connections,
    "database_silent": _is_zero("coloc_database_server_success"),
    "machine_stalled": _machine_stalled,
    "processor_saturated": _processor_saturated,
    "processor_stolen": _processor_stolen,
    "memory_low": _memory_low,
    "network_down": _is_zero("coloc_machine_network_up"),
    "files_nearly_out": _files_nearly_out,
    "disk_read_only": _value("coloc_filesystem_read_only"),
    "disk_full_soon": _disk_full_soon,
    "certificate_expiring": _certificate_expiring,
    "backup_unproven": _backup_unproven,
    "mail_burst": _grown("coloc_app_mail_messages_total", HOUR),
    "mail_queue_long": _value("coloc_mail_open"),
    "messages_waiting": _messages_waiting,
    "heartbeat_failing": _heartbeat_failing,
    "alertmanager_failing": _is_zero("coloc_alertmanager_success"),
    "reboot_required": _value("coloc_reboot_required"),
    "security_upgrades_waiting": _value("coloc_packages_waiting", kind="security"),
}

_SOURCES: Mapping[str, tuple[str, ...]] = {
    "service_down": ("coloc_service_up",),
    "app_crash_loop": ("coloc_unit_restarts_total",),
    "app_oom_killed": ("coloc_app_oom_kills_total",),
    "app_errors": ("coloc_app_web_requests_total",),
    "php_pool_saturated": ("coloc_app_php_queue", "coloc_app_php_workers"),
    "database_connections_nearly_out": ("coloc_database_server_connections_max",),
    "database_silent": ("coloc_database_server_success",),
    "machine_stalled": ("coloc_machine_pressure_stalled_seconds_total",),
    "processor_saturated": ("coloc_machine_pressure_waiting_seconds_total",),
    "processor_stolen": ("coloc_machine_cpu_seconds_total",),
    "memory_low": ("coloc_machine_memory_available_bytes",),
    "network_down": ("coloc_machine_network_up",),
    "files_nearly_out": ("coloc_filesystem_files_max",),
    "disk_read_only": ("coloc_filesystem_read_only",),
    "disk_full_soon": ("coloc_filesystem_free_bytes",),
    "certificate_expiring": ("coloc_certificate_expiry_timestamp_seconds",),
    "backup_unproven": ("coloc_backup_last_proven_timestamp_seconds",),
    "mail_burst": ("coloc_app_mail_messages_total",),
    "mail_queue_long": ("coloc_mail_open",),
    "messages_waiting": ("coloc_outbox_messages",),
    "heartbeat_failing": ("coloc_heartbeat_awaited_since_timestamp_seconds",),
    "alertmanager_failing": ("coloc_alertmanager_success",),
    "reboot_required": ("coloc_reboot_required",),
    "security_upgrades_waiting": ("coloc_packages_waiting",),
}


def sources(rule: str) -> tuple[str, ...]:
    """The metrics without which a rule can say nothing of anything."""
    return _SOURCES[rule]
