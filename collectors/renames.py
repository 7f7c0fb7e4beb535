"""Metrics that have a new name: for one release they are sent under both, so that nobody's dashboard goes blank.

To rename one: change its name where it is made, add a line here and in the changelog. In the release after that, take
the line away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

# name now → name before, both as the family is called in code: a counter without `_total`, a fact without `_info`.
RENAMED: Mapping[str, str] = MappingProxyType({})


def with_old_names(families: Iterable[Metric], renamed: Mapping[str, str] = RENAMED) -> Iterator[Metric]:
    """The families, and each that was renamed once more under the name it had."""
    for family in families:
        yield family
        if family.name in renamed:
            yield _under(renamed[family.name], family)


def _under(old: str, family: Metric) -> Metric:
    documentation = f"Old name of {family.name}, gone in the next release."
    copy = Metric(old, documentation, family.type)
    copy.samples = [
        Sample(old + sample.name.removeprefix(family.name), sample.labels, sample.value) for sample in family.samples
    ]
    return copy
