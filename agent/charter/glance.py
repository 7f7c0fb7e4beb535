"""Turns the points of the charter into what `coloc-agent charter` prints. Pure; text from outside is made harmless."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from agent.charter.point import CharterPoint
from agent.charter.words import advice, by_check, line, phrase, title
from agent.terminal import good, harmless, heading


def charter_lines(points: Sequence[CharterPoint], language: str, zone: ZoneInfo) -> list[str]:
    """Each check that has points: its title, what it speaks of, what may be done."""
    lines = []
    for check, found in by_check(points):
        lines.append(f"{heading(title(check, language))} [{check}]")
        lines += [f"  {harmless(line(point, language, zone), at_most=600)}" for point in found]
        if any(not point.relaxed_until for point in found):
            lines.append(f"  → {advice(check, language)}")
    return lines or [good(phrase("all points are kept", language))]
