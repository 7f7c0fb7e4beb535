"""Small colocations made by hand, and the figures of families as a plain mapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import Metric

from coloc.model import App, Colocation, Inventory


def colocation(*apps: App, shares: Mapping[str, Mapping[str, float]] | None = None) -> Colocation:
    """A colocation of these apps; `shares` as in the model, nothing for an app of no project."""
    borne = shares or {}
    projects = tuple(sorted({project for parts in borne.values() for project in parts}))
    return Colocation(Inventory({app.id: app for app in apps}), projects, borne)


def figures(families: Iterable[Metric]) -> dict[str, float]:
    """`name{label="value",…}` → value, labels in the order of their names."""
    found: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found
