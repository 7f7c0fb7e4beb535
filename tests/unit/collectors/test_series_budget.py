"""What an app costs Prometheus: at most sixty series with a backup host, and eleven for each further host."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

GOLDEN = Path(__file__).parents[2] / "golden/metrics.prom"
PER_APP, PER_HOST = 60, 11  # why eleven: docs/scale.md


def series_per_app() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """app → series, and (app, host) → series of the families that tell of backup hosts."""
    apps, hosts = Counter[str](), Counter[tuple[str, str]]()
    for labels in re.findall(r"(?m)^coloc_\w+\{(.*)\} ", GOLDEN.read_text()):
        values = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if "app" in values and "host" in values:
            hosts[values["app"], values["host"]] += 1
        elif "app" in values:
            apps[values["app"]] += 1
    return apps, hosts


def test_no_app_of_the_golden_house_costs_more_than_its_budget() -> None:
    apps, hosts = series_per_app()
    assert {"blog", "nuage"} <= set(apps)
    assert hosts
    assert {app: number for app, number in apps.items() if number + PER_HOST > PER_APP} == {}
    assert {place: number for place, number in hosts.items() if number > PER_HOST} == {}
