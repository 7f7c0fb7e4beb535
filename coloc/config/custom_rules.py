"""The keys of coloc.yml that add rules of one's own, on any metric that the agent has."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from coloc.config.mistakes import nearest, short
from coloc.config.values import Described, Seconds, Threshold, with_other_names
from coloc.metric_names import METRICS


def _known_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"is {short(name)!r}, which is not a metric that I know{nearest(name, METRICS)}")
    return name


MetricName = Annotated[str, AfterValidator(_known_metric)]


class CustomRule(Described):
    """One rule: it speaks of each series of a metric that is above, or below, a threshold."""

    metric: MetricName
    labels: dict[str, str] = {}
    above: Threshold | None = None
    below: Threshold | None = None
    clear: Threshold | None = None
    over: Seconds | None = None  # of a counter: how much it grew within so long
    wait: Seconds = 0.0
    clear_after: Seconds = 0.0
    severity: Literal["info", "warning", "critical"] = "warning"
    text: str = ""

    _names = model_validator(mode="before")(with_other_names)

    @model_validator(mode="after")
    def _agrees(self) -> CustomRule:
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
        return self

    @property
    def is_time(self) -> bool:
        """True when the metric is a moment: then its figure is how many seconds ago that is."""
        return self.metric.endswith("_timestamp_seconds")
