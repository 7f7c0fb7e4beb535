"""The charter's entry on the page: each check that has points, and of what it speaks. Pure; every text is escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from agent.charter.checks import counts
from agent.charter.point import CharterPoint
from agent.charter.words import advice, by_check, line, title


def charter_list(points: Sequence[CharterPoint], language: str, zone: ZoneInfo, escape: Callable[[str], str]) -> str:
    """A list that can be opened, point by point, without any script."""
    parts = []
    for check, found in by_check(points):
        still, _ = counts(found)[check]
        items = "".join(f"<li>{escape(line(point, language, zone))}</li>" for point in found)
        more = f'<p class="soft">{escape(advice(check, language))}</p>' if still else ""
        heading = f"{escape(title(check, language))} ({still})"
        parts.append(f"<details><summary>{heading}</summary><ul>{items}</ul>{more}</details>")
    return "".join(parts)
