"""Label values from outside made safe and few: Prometheus keeps each for months, at a cost."""

from __future__ import annotations

from collections.abc import Mapping

OTHER = "_other"
_LONGEST = 120


def clean(text: str) -> str:
    """A label value: valid UTF-8, without control characters, not endless."""
    kept = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[: _LONGEST + 1])
    return kept if len(kept) <= _LONGEST else f"{kept[: _LONGEST - 1]}…"


def fold(values: Mapping[str, float], most: int) -> dict[str, float]:
    """The `most` first values by name; the sum of what is beyond them as `_other`."""
    names = sorted(values)
    kept = {name: values[name] for name in names[:most]}
    if len(names) > most:
        kept[OTHER] = sum(values[name] for name in names[most:])
    return kept
