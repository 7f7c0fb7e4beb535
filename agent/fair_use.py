"""Who waited for the processor, because of whom: what each project's slice waited, beside its part and its use. Pure.

A project that waited is shown those that used more than their part meanwhile; nobody is blamed while nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.readings import Readings

SPAN = 600.0  # seconds
_WAITING = "coloc_project_pressure_waiting_seconds_total"
_CPU = "coloc_project_cpu_seconds_total"
SPANS: Mapping[str, float] = {_WAITING: SPAN, _CPU: SPAN}
_NOTICED = 0.05  # of the time: less is not felt
_MORE = 1.1  # times its part: a little more is nobody's fault


@dataclass(frozen=True, slots=True)
class FairUse:
    """One project over the last minutes. Parts are of what projects used together; `waited` is a part of the time."""

    project: str
    part: float
    used: float
    waited: float
    because_of: tuple[str, ...] = ()


def fair_use(readings: Readings, shares: Mapping[str, float]) -> tuple[FairUse, ...]:
    """Every project whose slice is watched, in their order; nothing before it was watched for long enough."""
    waited = dict(_rates(readings, _WAITING, shares, resource="cpu"))
    cores = dict(_rates(readings, _CPU, shares))
    together, all_shares = sum(cores.values()), sum(shares.values())
    if not waited or together <= 0 or all_shares <= 0:
        return ()
    parts = {project: share / all_shares for project, share in shares.items()}
    used = {project: cores.get(project, 0.0) / together for project in shares}
    greedy = tuple(project for project in shares if used[project] > _MORE * parts[project])
    return tuple(
        FairUse(
            project,
            parts[project],
            used[project],
            waited[project],
            tuple(each for each in greedy if each != project) if waited[project] >= _NOTICED else (),
        )
        for project in shares
        if project in waited
    )


def _rates(readings: Readings, name: str, projects: Mapping[str, float], **labels: str) -> Iterator[tuple[str, float]]:
    sums: dict[str, float] = {}
    for found, rate in readings.per_second(name, SPAN, **labels):
        project = found.get("project", "")
        if rate is not None and project in projects:
            sums[project] = sums.get(project, 0.0) + rate
    yield from sums.items()
