"""The keys of coloc.yml that add rules of one's own, on any metric that the agent has."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

from coloc.config.marks import CheckedBy
from coloc.config.mistakes import nearest, short
from coloc.config.values import Described, Seconds, Threshold
from coloc.metric_names import METRICS


def _known_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"is {short(name)!r}, which is not a metric that I know{nearest(name, METRICS)}")
    return name


MetricName = Annotated[str, CheckedBy(_known_metric)]


class CustomRule(Described):
    """One rule: it speaks of each series of a metric that is above, or below, a threshold."""

    metric: MetricName
    labels: dict[str, str] = field(default_factory=dict)
    above: Threshold | None = None
    below: Threshold | None = None
    clear: Threshold | None = None
    over: Seconds | None = None  # of a counter: how much it grew within so long
    wait: Seconds = 0.0
    clear_after: Seconds = 0.0
    severity: Literal["info", "warning", "critical"] = "warning"
    text: str = ""

    def __post_init__(self) -> None:
        if (self.above is None) == (self.below is None):
            raise ValueError("write one threshold, above or below")
        for label in self.labels:
            if label not in METRICS[self.metric]:
                raise ValueError(f"{self.metric} has no label {short(label)!r}{nearest(label, METRICS[self.metric])}")
        is_good = self.clear is None or (
            self.clear <= self.above if self.above is not None else self.clear >= (self.below or 0)
        )
        if not is_good:
            raise ValueError("clear: must lie on the good side of the threshold")

    @property
    def is_time(self) -> bool:
        """True when the metric is a moment: then its figure is how many seconds ago that is."""
        return self.metric.endswith("_timestamp_seconds")
