"""The keys of coloc.yml that change rules, and the names of the rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from coloc.config.mistakes import nearest
from coloc.config.values import Described, Seconds

# The rules of agent.rules: so that a misspelt one is a mistake, and not a rule that nobody changed.
RULE_NAMES = (
    "app_down",
    "collector_failing",
    "host_unreachable",
    "backup_failed",
    "backup_late",
    "backup_shrunk",
    "host_nearly_full",
    "key_not_escrowed",
    "drill_failed",
    "drill_overdue",
    "check_failed",
    "disk_nearly_full",
    "quota_exceeded",
    "config_invalid",
)


def _known_rule(name: str) -> str:
    if name not in RULE_NAMES:
        raise ValueError(f"is not a rule that I know{nearest(name, RULE_NAMES)}")
    return name


RuleName = Annotated[str, AfterValidator(_known_rule)]


class RuleChange(Described):
    """What people change of a rule; a rule that is off is not evaluated."""

    off: bool = False
    above: Annotated[float, Field(gt=0, le=1)] | None = None  # a part of the whole: 0.9
    below: float | None = None
    wait: Seconds | None = None  # how long before it is told
    clear_after: Seconds | None = None  # how long it must stay away before it is over
    severity: Literal["info", "warning", "critical"] | None = None
