"""Makes texts from outside harmless before they are said: no control or direction marks, no mentions, no long names."""

from __future__ import annotations

import re
import unicodedata
from html import escape

_LONGEST = 300
_ZERO_WIDTH = "\u200b"


def plain(text: str, *, longest: int = _LONGEST) -> str:
    """One line that cannot ring or forge: spaces for breaks, no invisible marks, an `@` that is no mention."""
    kept = []
    for char in text[: 4 * longest]:
        category = unicodedata.category(char)
        if char.isspace():
            kept.append(" ")
        elif category[0] == "C":  # control, format (direction marks), surrogates, private use
            continue
        else:
            kept.append(f"@{_ZERO_WIDTH}" if char == "@" else char)
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def html(text: str) -> str:
    """`plain`, escaped for HTML."""
    return escape(plain(text))


def no_markup(line: str) -> str:
    """A line for Markdown: names from outside must not become links, mentions or titles."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~@])", r"\\\1", line.strip()).replace("://", ":\u200b//")
