"""A curve over days as inline SVG, with the same in words below it. Days without a measure are gaps. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from agent.page.paper import Paper

_WIDTH, _HEIGHT = 600, 120  # of the drawing; the page stretches it
_LEAST_DAYS = 14


@dataclass(frozen=True, slots=True)
class Curve:
    """`title` is one of our words; `limit` what was agreed, None when nothing was."""

    title: str
    values: Mapping[date, float]
    limit: float | None
    shown: Callable[[float], str]


def curve_figure(paper: Paper, curve: Curve, today: date) -> str:
    """The figure, or that nothing was kept yet."""
    title = paper.word(curve.title)
    if not curve.values:
        return f"<figure><h3>{title}</h3><p>{paper.word('No day was kept yet')}</p></figure>"
    first = min(*curve.values, today - timedelta(days=_LEAST_DAYS - 1))
    top = max(*curve.values.values(), curve.limit or 0.0) * 1.05 or 1.0
    drawn = "".join(_lines(curve, first, today, top))
    words = _in_words(paper, curve, today)
    ends = f"<span>{first.isoformat()}</span><span>{today.isoformat()}</span>"
    return (
        f'<figure><h3>{title}</h3><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{title}. {words}">{drawn}</svg><p class="ends soft">{ends}</p>'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _lines(curve: Curve, first: date, today: date, top: float) -> Iterator[str]:
    step = _WIDTH / max(1, (today - first).days)
    place = {day: ((day - first).days * step, _HEIGHT - _HEIGHT * value / top) for day, value in curve.values.items()}
    for run in _runs(sorted(place)):
        ways = [place[day] for day in run]
        if len(ways) == 1:  # a day alone is a short line
            x, y = ways[0]
            ways = [(max(0.0, x - step / 2), y), (min(float(_WIDTH), x + step / 2), y)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in ways)
        yield f'<polygon points="{ways[0][0]:.1f},{_HEIGHT} {path} {ways[-1][0]:.1f},{_HEIGHT}"/>'
        yield f'<polyline points="{path}"/>'
    if curve.limit is not None:
        height = f"{_HEIGHT - _HEIGHT * curve.limit / top:.1f}"
        yield f'<line x1="0" y1="{height}" x2="{_WIDTH}" y2="{height}"/>'


def _runs(days: list[date]) -> Iterator[list[date]]:
    """Days that follow each other without a gap."""
    run = days[:1]
    for before, day in pairwise(days):
        if day - before != timedelta(days=1):
            yield run
            run = []
        run.append(day)
    yield run


def _in_words(paper: Paper, curve: Curve, today: date) -> str:
    last, most = max(curve.values), max(curve.values, key=lambda day: (curve.values[day], day))
    told = [
        f"{paper.word('last day')}{paper.colon}{_shown(paper, curve, curve.values[last])}",
        f"{paper.word('most')}{paper.colon}{_shown(paper, curve, curve.values[most])} ({most.isoformat()})",
    ]
    if curve.limit is not None:
        told.append(f"{paper.word('agreed (dashes)')}{paper.colon}{_shown(paper, curve, curve.limit)}")
    missing = (today - min(curve.values)).days + 1 - len(curve.values)
    if missing > 0:
        told.append(f"{paper.word('days without a measure')}{paper.colon}{missing}")
    return " · ".join(told)


def _shown(paper: Paper, curve: Curve, value: float) -> str:
    return paper.figure(curve.shown(value))
