"""The words of one rule, and the mark by which texts are found for translation."""

from __future__ import annotations

from dataclasses import dataclass


def n_(text: str) -> str:
    """Marks a text for translation where a table holds it."""
    return text


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of one rule: the title, what more is known, and what to do."""

    title: str
    detail: str
    to_do: str
