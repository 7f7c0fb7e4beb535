"""What the collectors last found, as numbers that rules may ask for: now, grown over a while, or where it leads.

A counter is remembered only for as long as some rule asks. What was not measured is absent; what has not been watched
long enough to say "nothing happened" is None, so that a restart resolves nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from prometheus_client.metrics_core import Metric

_POINTS = 30  # of each span that is asked for
_LEAST_SECONDS = 4.0
_SLACK = 1.05
_ENOUGH = 0.5  # of the span: then nothing that was seen is nothing that happened

Labels = tuple[tuple[str, str], ...]
Values = Mapping[Labels, float]


class AtLeast(float):
    """A growth that was not watched for its whole span: so much at least. It can raise an alarm, and end none."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The figures at one moment. `history`: older looks at what was asked to be remembered, oldest first."""

    values: Mapping[str, Values] = field(default_factory=dict)
    history: Mapping[str, tuple[tuple[float, Values], ...]] = field(default_factory=dict)
    clock: float = 0.0

    def knows(self, name: str) -> bool:
        """True when somebody measures it, were it of nothing at all."""
        return name in self.values

    def now(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Each series with its value."""
        for key, value in self.values.get(name, {}).items():
            found = dict(key)
            if all(found.get(label) == wanted for label, wanted in labels.items()):
                yield found, value

    def one(self, name: str, **labels: str) -> float | None:
        """The value of the one series, or None."""
        return next((value for _, value in self.now(name, **labels)), None)

    def increase(self, name: str, seconds: float, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """How much each counter grew within the span; AtLeast when it was not watched for long enough."""
        looks = [look for look in self.history.get(name, ()) if self.clock - look[0] <= seconds * _SLACK]
        for found, value in self.now(name, **labels):
            key = tuple(sorted(found.items()))
            seen = [(clock, values[key]) for clock, values in looks if key in values]
            steps = [*(each for _, each in seen), value]
            grown = sum(after - before if after >= before else after for before, after in pairwise(steps))
            enough = bool(seen) and self.clock - seen[0][0] >= seconds * _ENOUGH
            yield found, grown if enough else AtLeast(grown)

    def per_second(self, name: str, seconds: float, **labels: str) -> Iterator[tuple[dict[str, str], float | None]]:
        """The rate of each counter over the span; None when it was not watched for long enough."""
        looks = [look for look in self.history.get(name, ()) if self.clock - look[0] <= seconds * _SLACK]
        for found, grown in self.increase(name, seconds, **labels):
            key = tuple(sorted(found.items()))
            first = next((clock for clock, values in looks if key in values), self.clock)
            is_known = not isinstance(grown, AtLeast) and self.clock > first
            yield found, grown / (self.clock - first) if is_known else None

    def seconds_to_zero(self, name: str, seconds: float, least: float) -> Iterator[tuple[dict[str, str], float | None]]:
        """In how long each gauge is at zero if it goes on as within the span; infinite when it does not fall.

        None before it was watched for `least` seconds. The line is that of least squares.
        """
        for found, value in self.now(name):
            key = tuple(sorted(found.items()))
            looks = [(clock - self.clock, values[key]) for clock, values in self.history.get(name, ()) if key in values]
            looks = [look for look in looks if -look[0] <= seconds]
            if not looks or -looks[0][0] < least:
                yield found, None
                continue
            slope = _slope([*looks, (0.0, value)])
            yield found, value / -slope if slope < 0 else float("inf")


class ReadingWindow:
    """Keeps older looks at the metrics of `spans` (name → seconds)."""

    def __init__(self, spans: Mapping[str, float]) -> None:
        self._spans = spans
        self._looks: dict[str, deque[tuple[float, Values]]] = {name: deque() for name in spans}

    def update(self, families: Iterable[Metric], clock: float) -> Readings:
        """The figures at `clock` (monotonic). What is new is remembered for later."""
        values: dict[str, dict[Labels, float]] = {}
        for family in families:
            for name in (family.name, f"{family.name}_total"):
                values.setdefault(name, {})
            for sample in family.samples:
                values.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        before = {name: tuple(looks) for name, looks in self._looks.items()}
        for name, looks in self._looks.items():
            self._remember(name, looks, values.get(name), clock)
        return Readings(values, before, clock)

    def _remember(self, name: str, looks: deque[tuple[float, Values]], now: Values | None, clock: float) -> None:
        span = self._spans[name]
        if now and (not looks or clock - looks[-1][0] >= max(_LEAST_SECONDS, span / _POINTS)):
            looks.append((clock, now))
        while looks and clock - looks[0][0] > span * 1.1:
            looks.popleft()


def _slope(points: list[tuple[float, float]]) -> float:
    count = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
