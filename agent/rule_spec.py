"""What a rule is made of, besides the function that judges: how loud, how long, and how Prometheus sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from agent.incidents import Severity

_NOW = timedelta(0)


class Concern(StrEnum):
    """What a rule is about: it decides whether what is critical rings at night, and whose level of service counts."""

    MACHINE = "machine"
    DATA = "data"  # backups and their proofs
    APP = "app"
    HOUSE = "house"  # quotas, upkeep, the agent itself


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule. `levels`: what Prometheus looks for, for each severity that the rule can have; the usual one first."""

    name: str
    subject: tuple[str, ...]  # the labels of its findings
    levels: tuple[tuple[Severity, str], ...]
    concern: Concern = Concern.HOUSE
    wait: timedelta = _NOW
    clear_after: timedelta = _NOW
    above: float | None = None  # it speaks from here on upwards
    below: float | None = None  # or from here on downwards
    severe: float | None = None  # from here on it is critical
    margin: float = 0.0  # so far on the good side of the threshold it is over
    unit: str = ""  # of the threshold: ratio, seconds, count; "" when coloc.yml may not change it
    metric_labels: Mapping[str, str] = field(
        default_factory=dict
    )  # where metrics call a label of the subject otherwise

    @property
    def severity(self) -> Severity:
        """How much it usually matters."""
        return self.levels[0][0]

    @property
    def runbook(self) -> str:
        """The page that says what to do, from the root of the project."""
        return f"docs/runbook/{self.name}.md"


def served_levels(expression: str) -> tuple[tuple[Severity, str], ...]:
    """Of an app: critical by its level of service; of best effort it is a warning."""
    agreed = "on (coloc, instance, app) coloc_app_service_level{HERE} > 0"
    return (Severity.CRITICAL, f"{expression} and {agreed}"), (Severity.WARNING, f"{expression} unless {agreed}")
