"""What a project or an app used day by day against what was agreed, from the days that the day book kept. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from agent.charter.day_book import DayOfApp
from agent.page.curve import Curve, curve_figure
from agent.page.figures import cores, human_bytes
from agent.page.paper import Paper
from agent.status import QuotaStatus

# The mean of a day is what was added up, by the seconds that were watched.
RESOURCES = (
    ("CPU (cores)", "cpu_seconds", ("cpu",), cores),
    ("Memory", "memory_byte_seconds", ("memory",), human_bytes),
    ("Disk and databases", "disk_byte_seconds", ("disk", "database"), human_bytes),
)


def use_curves(paper: Paper, quotas: Sequence[QuotaStatus], *, project: str = "", app: str = "") -> str:
    """The curves of a project, or of one app."""
    days = paper.remembered.days(app=app, project=project)
    heading = f"<h2>{paper.word('Use over time')}</h2>"
    if days is None:
        return f"{heading}<p>{paper.word('The history cannot be read now')}</p>"
    today = paper.status.at.astimezone(paper.zone).date()
    figures = "".join(
        curve_figure(paper, Curve(title, daily(days, figure, project), agreed(quotas, names), shown), today)
        for title, figure, names, shown in RESOURCES
    )
    note = f'<p class="soft">{paper.word("Mean of each day, shared apps by their share; three months at most")}</p>'
    return f'{heading}{note}<div class="curves">{figures}</div>'


def daily(days: Iterable[DayOfApp], figure: str, project: str = "") -> Mapping[date, float]:
    """Day → the mean, summed over the apps that `project` bears, by its share. "": all of each app.

    A day on which one of them was not measured has no sum: it would look as if less had been used.
    """
    sums: dict[date, float] = {}
    unknown = set()
    for each in days:
        share = each.shares.get(project, 0.0) if project else 1.0
        if share <= 0 or each.seconds <= 0:
            continue
        day, value = date.fromisoformat(each.day), each.figures.get(figure)
        if value is None or not math.isfinite(value):
            unknown.add(day)
        else:
            sums[day] = sums.get(day, 0.0) + share * max(0.0, value) / each.seconds
    return {day: value for day, value in sums.items() if day not in unknown}


def agreed(quotas: Sequence[QuotaStatus], resources: Sequence[str]) -> float | None:
    """The hard limits of all these resources together; None unless each has one."""
    limits = {quota.resource: quota.hard for quota in quotas}
    return sum(limits[name] for name in resources) if all(name in limits for name in resources) else None
