"""The page `/charter`: each check that has points, and of what it speaks; never an alarm. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from agent.charter.checks import counts
from agent.charter.point import CharterPoint
from agent.charter.words import advice, by_check, line, title
from agent.page.paper import Paper, escape
from agent.page.part import Part, Sheet


def sheet(paper: Paper) -> Sheet:
    """Points of the charter that are not kept."""
    points = paper.status.charter
    told = charter_list(points, paper.language, paper.zone, escape)
    body = told or f'<p class="good">{paper.word("All its points are kept")}</p>'
    commands = paper.commands(
        ("The same in a terminal", ("charter",)), ("A page for the meeting", ("charter", "agenda"))
    )
    return Sheet(paper.word("Charter"), body + commands)


def charter_list(points: Sequence[CharterPoint], language: str, zone: ZoneInfo, escape: Callable[[str], str]) -> str:
    """A list that can be opened, point by point, without any script."""
    parts = []
    for check, found in by_check(points):
        still, _ = counts(found)[check]
        items = "".join(f"<li>{escape(line(point, language, zone))}</li>" for point in found)
        more = f'<p class="soft">{escape(advice(check, language))}</p>' if still else ""
        heading = f"{escape(title(check, language))} ({still})"
        parts.append(f"<details open><summary>{heading}</summary><ul>{items}</ul>{more}</details>")
    return "".join(parts)


CHARTER = Part("charter", "Charter", sheet)
