"""Readings out of what /metrics would say, look after look."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from agent.house import spans_of
from agent.readings import Readings, ReadingWindow
from coloc.config.whole import Config


class Looks:
    """Call `look` with lines of an exposition and how many seconds went by."""

    def __init__(self, config: Config | None = None) -> None:
        self._window = ReadingWindow(spans_of(config or Config.model_validate({"coloc": {"name": "c"}})))
        self.clock = 1000.0
        self.readings = Readings()

    def look(self, *lines: str, after: float = 0.0) -> Readings:
        self.clock += after
        text = "\n".join(lines) + "\n"
        self.readings = self._window.update(text_string_to_metric_families(text), self.clock)
        return self.readings

    def grow(self, line: str, steps: list[float], every: float) -> Readings:
        """One series that takes these values, one look each."""
        for step in steps:
            self.look(f"{line} {step}", after=every)
        return self.readings
