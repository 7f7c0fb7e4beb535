"""A cap for every family, whatever its collector does: what is beyond it becomes `_other`, and is counted.

In plain sentences:
* an app (or a project, in families without apps) has at most 24 label sets in a family; without either it has 200;
* the label with most values is folded, the others stay: of an app's thousand domains `_other` keeps app and code;
* apps and projects themselves are folded only beyond five hundred;
* who has a series keeps it while it is there: what comes later is folded, so that series do not change places;
* counters are summed and never go backwards; of moments the oldest stays, of `up` and `success` the worst, of ratios
  the largest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from collectors.labels import OTHER


@dataclass(frozen=True, slots=True)
class Limits:
    """How many label sets a family may have: of one owner (an app, a project), without one; and how many owners."""

    per_owner: int = 24
    without_owner: int = 200
    owners: int = 500


_OWNERS = ("app", "project")  # the first that a sample has owns it
_PART = "le"  # a histogram is one thing, whatever its buckets
Labels = dict[str, str]


class Cap:
    """The cap of one collector. It remembers who has a series, of families that overflow only."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._kept: dict[tuple[str, str, str], list[str]] = {}
        self._most: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self.folded: dict[str, int] = {}  # family → label sets folded so far, summed over all looks

    def apply(self, families: Iterable[Metric]) -> tuple[Metric, ...]:
        """The same families, each below its cap; what needs no folding is passed on untouched."""
        return tuple(self._capped(family) for family in families)

    def _capped(self, family: Metric) -> Metric:
        limits = self._limits
        owner = next((name for name in _OWNERS if any(name in sample.labels for sample in family.samples)), "")
        # At each look, of every family: so it counts samples first, which are never fewer than label sets.
        is_one = "_count" if family.type == "histogram" else ""
        samples = Counter([one.labels.get(owner) for one in family.samples if one.name.endswith(is_one)])
        most = limits.per_owner if owner else limits.without_owner
        if len(samples) <= limits.owners and max(samples.values(), default=0) <= most:
            return family
        new = {_key(sample.labels): dict(_key(sample.labels)) for sample in family.samples}
        if owner:
            self._fold_label(family.name, "", owner, list(new.values()), limits.owners)
        for name, group in _by_owner(new.values(), owner):
            self._fold_group(family.name, name, group, most)
        folded = sum(labels != dict(key) for key, labels in new.items())
        if not folded:
            return family
        name = f"{family.name}_total" if family.type == "counter" else family.name
        self.folded[name] = self.folded.get(name, 0) + folded
        return self._rebuilt(family, new)

    def _fold_group(self, family: str, owner: str, group: Sequence[Labels], limit: int) -> None:
        """Fold one label after the other: at first so many values as should do, then, when they do not, all."""
        free = {name for labels in group for name in labels} - {*_OWNERS}
        for leaves_some in (True, False):
            left = set(free)
            while left and _number_of_sets(group) > limit:
                label = max(sorted(left), key=lambda name: _number_of_values(group, name))
                room = limit * _number_of_values(group, label) // _number_of_sets(group) - 1 if leaves_some else 0
                self._fold_label(family, owner, label, group, room)
                left.discard(label)

    def _fold_label(self, family: str, owner: str, label: str, group: Sequence[Labels], room: int) -> None:
        """Fold the values of a label beyond `room`, those first that came last."""
        there = {labels[label]: None for labels in group if labels.get(label, OTHER) != OTHER}
        place = family, owner, label
        if len(there) <= room:
            self._kept.pop(place, None)
            return
        before = [value for value in self._kept.get(place, ()) if value in there]
        known = set(before)
        kept = [*before, *(value for value in there if value not in known)][: max(0, room)]
        self._kept[place] = kept
        known = set(kept)
        for labels in group:
            if label in labels and labels[label] not in known:
                labels[label] = OTHER
                if label == "app" and "project" in labels:
                    labels["project"] = OTHER

    def _rebuilt(self, family: Metric, new: Mapping[tuple[tuple[str, str], ...], Labels]) -> Metric:
        combine = _combine(family)
        values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for sample in family.samples:
            labels = dict(new[_key(sample.labels)])
            if _PART in sample.labels:
                labels[_PART] = sample.labels[_PART]
            place = sample.name, tuple(sorted(labels.items()))
            values[place] = combine(values[place], sample.value) if place in values else sample.value
        if family.type in {"counter", "histogram", "summary"}:
            values = {place: self._not_backwards(place, value) for place, value in values.items()}
        rebuilt = Metric(family.name, family.documentation, family.type)
        rebuilt.samples = [Sample(name, dict(labels), value) for (name, labels), value in values.items()]
        return rebuilt

    def _not_backwards(self, place: tuple[str, tuple[tuple[str, str], ...]], value: float) -> float:
        """Of what is summed some may go away: the sum waits until it is above what it was."""
        if not any(text == OTHER for _, text in place[1]):
            return value
        self._most[place] = max(value, self._most.get(place, 0.0))
        return self._most[place]


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in labels.items() if pair[0] != _PART)


def _number_of_sets(group: Sequence[Labels]) -> int:
    return len({tuple(labels.items()) for labels in group})


def _number_of_values(group: Sequence[Labels], label: str) -> int:
    return len({labels.get(label, "") for labels in group})


def _by_owner(sets: Iterable[Labels], owner: str) -> list[tuple[str, list[Labels]]]:
    ordered = sorted(sets, key=lambda labels: labels.get(owner, ""))
    return [(name, list(group)) for name, group in groupby(ordered, key=lambda labels: labels.get(owner, ""))]


def _combine(family: Metric) -> Callable[[float, float], float]:
    if family.type == "info" or family.name.endswith("_ratio"):
        return max
    if family.name.endswith(("_timestamp_seconds", "_up", "_success")):
        return min
    return lambda one, other: one + other
