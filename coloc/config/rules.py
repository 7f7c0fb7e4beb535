"""The keys of coloc.yml that change rules, and the names of the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from coloc.config.marks import CheckedBy
from coloc.config.mistakes import nearest, shown
from coloc.config.values import Described, Seconds, Threshold, parse_threshold

# The rules of agent.rules: so that a misspelt one is a mistake, and not a rule that nobody changed. With each the
# threshold that coloc.yml may change: `above` or `below`, and what it is measured in; None where it has none.
RULE_THRESHOLDS: Mapping[str, tuple[str, str] | None] = {
    "app_down": None,
    "collector_failing": None,
    "host_unreachable": None,
    "backup_failed": None,
    "backup_late": None,
    "backup_shrunk": None,
    "host_nearly_full": ("above", "ratio"),
    "key_not_escrowed": None,
    "drill_failed": None,
    "drill_overdue": None,
    "check_failed": None,
    "disk_nearly_full": ("above", "ratio"),
    "quota_exceeded": None,
    "config_invalid": None,
    "maintenance_overrun": None,
    "service_down": None,
    "app_crash_loop": ("above", "count"),
    "app_oom_killed": ("above", "count"),
    "app_errors": ("above", "ratio"),
    "php_pool_saturated": ("above", "count"),
    "database_connections_nearly_out": ("above", "ratio"),
    "database_silent": None,
    "machine_stalled": ("above", "ratio"),
    "processor_saturated": ("above", "ratio"),
    "processor_stolen": ("above", "ratio"),
    "memory_low": ("below", "ratio"),
    "network_down": None,
    "files_nearly_out": ("above", "ratio"),
    "disk_read_only": None,
    "disk_full_soon": ("below", "seconds"),
    "certificate_expiring": ("below", "seconds"),
    "backup_unproven": ("above", "seconds"),
    "mail_burst": ("above", "count"),
    "mail_queue_long": ("above", "count"),
    "messages_waiting": ("above", "seconds"),
    "heartbeat_failing": ("above", "seconds"),
    "alertmanager_failing": None,
    "reboot_required": None,
    "security_upgrades_waiting": ("above", "count"),
}
RULE_NAMES = tuple(RULE_THRESHOLDS)


def _known_rule(name: str) -> str:
    if name not in RULE_NAMES:
        raise ValueError(f"is not a rule that I know{nearest(name, RULE_NAMES)}")
    return name


RuleName = Annotated[str, CheckedBy(_known_rule)]


class RuleChange(Described):
    """What people change of a rule; a rule that is off is not evaluated."""

    off: bool = False
    above: Threshold | None = None
    below: Threshold | None = None
    clear: Threshold | None = None  # over only on the other side of this
    wait: Seconds | None = None  # how long before it is told
    clear_after: Seconds | None = None  # how long it must stay away before it is over
    severity: Literal["info", "warning", "critical"] | None = None


def wrong_thresholds(rules: Mapping[Any, Any]) -> Iterator[tuple[list[Any], str]]:
    """Thresholds that a rule does not have, or cannot have: (place, words). It takes data as it was written."""
    for name, change in rules.items():
        known = RULE_THRESHOLDS.get(name) if isinstance(name, str) else None
        if name not in RULE_THRESHOLDS or not isinstance(change, Mapping):
            continue
        for key in ("above", "below", "clear"):
            if change.get(key) is None:
                continue
            words = _wrong(key, change[key], known)
            if words:
                yield ["rules", name, key], words


def _wrong(key: str, written: object, known: tuple[str, str] | None) -> str:
    if known is None:
        return "this rule has no threshold"
    direction, unit = known
    if key not in {direction, "clear"}:
        return f"this rule has its threshold in {direction}:"
    try:
        value = parse_threshold(written)
    except ValueError:
        return ""  # it is told for itself
    if unit == "ratio" and not 0 < value <= 1:
        return f"is {shown(written)}; write a number of at most 1, and above 0: a part of the whole, 0.9 or 90%"
    if not 0 < value < 1e12:
        return f"is {shown(written)}; write a number above 0"
    return ""
