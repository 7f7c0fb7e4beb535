"""Inhibition: which open incidents follow from another one that is open, and so keep quiet. Pure.

The rules, in plain sentences:
* a disk that is full or cannot be written silences what needs to write: apps, services, backups, collectors;
* a database server, php-fpm or Redis that is down silences the apps that need it, and only those;
* an app that is down silences what its visitors then meet;
* without network, hosts that do not answer and messages that do not leave are no news;
* a machine that stands still silences what is merely slow.
What follows keeps quiet as long as its cause is open, already while the cause is pending, and a minute after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from agent.incidents import Incident, Phase, Severity
from coloc.model import App, Colocation, DatabaseKind

AFTERWARDS = timedelta(minutes=1)
_OF_APPS = frozenset({"app_down", "app_crash_loop", "app_errors", "php_pool_saturated", "database_silent"})
_WRITES = _OF_APPS | {"service_down", "backup_failed", "collector_failing", "disk_full_soon"}
_SLOW = frozenset({"php_pool_saturated", "app_errors", "collector_failing", "processor_saturated"})
_FAR = frozenset(
    {
        "host_unreachable",
        "backup_failed",
        "messages_waiting",
        "mail_queue_long",
        "heartbeat_failing",
        "alertmanager_failing",
    }
)

Follows = Callable[[Incident, Incident, Colocation], bool]  # (cause, other, colocation)


def causes(
    open_incidents: Iterable[Incident], just_over: Iterable[Incident], colocation: Colocation, now: datetime
) -> dict[str, int]:
    """key → the number of the incident that it follows from; of several causes the oldest."""
    lately = [item for item in just_over if item.resolved_at and timedelta(0) <= now - item.resolved_at < AFTERWARDS]
    open_now = list(open_incidents)
    possible = sorted((item for item in [*open_now, *lately] if item.rule in _FOLLOWS and item.id), key=lambda i: i.id)
    found: dict[str, int] = {}
    for incident in open_now:
        for cause in possible:
            if cause.key != incident.key and _FOLLOWS[cause.rule](cause, incident, colocation):
                found[incident.key] = cause.id
                break
    return found


def _of_full_disk(cause: Incident, other: Incident, _: Colocation) -> bool:
    if other.rule == "disk_full_soon":
        return _label(cause, "filesystem") == _label(other, "filesystem")
    return cause.severity is Severity.CRITICAL and other.rule in _WRITES


def _of_read_only(cause: Incident, other: Incident, _: Colocation) -> bool:
    same = _label(cause, "filesystem") == _label(other, "filesystem")
    return other.rule in _WRITES or (same and other.rule in {"disk_nearly_full", "files_nearly_out"})


def _of_service(cause: Incident, other: Incident, colocation: Colocation) -> bool:
    unit = _label(cause, "unit")
    if other.rule == "database_silent":
        return _label(other, "kind") == {"mariadb": "mysql", "mysql": "mysql"}.get(unit, unit.split("@")[0])
    app = colocation.inventory.apps.get(_label(other, "app"))
    return app is not None and other.rule in _OF_APPS | {"backup_failed"} and _needs(app, unit)


def _needs(app: App, unit: str) -> bool:
    kinds = {database.kind for database in app.databases}
    if unit in {"mariadb", "mysql", "mysqld"}:
        return DatabaseKind.MYSQL in kinds
    if unit.startswith("postgresql"):
        return DatabaseKind.POSTGRESQL in kinds
    if unit.startswith("redis"):
        return app.redis_db is not None
    php = re.fullmatch(r"php([0-9.]+)-fpm", unit)
    if php is None:
        return False
    return app.php_version == php[1] or any(f"/php/{php[1]}/" in pool.file for pool in app.php_pools)


def _of_app(cause: Incident, other: Incident, _: Colocation) -> bool:
    same = _label(cause, "app") == _label(other, "app")
    return same and other.rule in {"app_errors", "php_pool_saturated"}


def _of_network(_: Incident, other: Incident, __: Colocation) -> bool:
    return other.rule in _FAR


def _of_stalled_machine(cause: Incident, other: Incident, _: Colocation) -> bool:
    return cause.phase is not Phase.PENDING and other.rule in _SLOW


def _of_host(cause: Incident, other: Incident, _: Colocation) -> bool:
    return other.rule == "backup_failed" and _label(cause, "host") == _label(other, "host")


def _label(incident: Incident, name: str) -> str:
    return dict(incident.labels).get(name, "")


_FOLLOWS: Mapping[str, Follows] = {
    "disk_nearly_full": _of_full_disk,
    "files_nearly_out": _of_full_disk,
    "disk_read_only": _of_read_only,
    "service_down": _of_service,
    "app_down": _of_app,
    "network_down": _of_network,
    "machine_stalled": _of_stalled_machine,
    "memory_low": _of_stalled_machine,
    "host_unreachable": _of_host,
}
