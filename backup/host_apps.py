"""In which order a host is given the apps, so that a night that ends early is fair to the next one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from backup.plan import AppPlan


def in_order(plans: Sequence[AppPlan], proven: Mapping[str, datetime], begun: Iterable[str]) -> list[AppPlan]:
    """First what was saved there before, the longest ago first; then what is new, what was begun before the rest.

    So a first upload that takes many nights stands in nobody's way, and nights that end early take turns.
    """
    started = frozenset(begun)

    def rank(plan: AppPlan) -> tuple[int, float, str]:
        last = proven.get(plan.app.id)
        if last is not None:
            return 0, last.timestamp(), plan.app.id
        return (1 if plan.app.id in started else 2), 0.0, plan.app.id

    return sorted(plans, key=rank)


def in_one_order(plans: Sequence[AppPlan], proven: Sequence[Mapping[str, datetime]]) -> list[AppPlan]:
    """One order for all hosts, when they must take an app together: by the host that waits for it longest."""
    everywhere = set.intersection(*map(set, proven)) if proven else set()
    return in_order(plans, {app: min(each[app] for each in proven) for app in everywhere}, ())
