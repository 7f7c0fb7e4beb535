"""How commands print: text from outside made harmless, columns, colours only on a terminal."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence

import click

_STYLED = re.compile(r"\x1b\[[0-9;]*m")


def harmless(text: str, *, at_most: int = 200) -> str:
    """`text` without a way to move the cursor, change colours, start a line or turn the reading direction."""
    shown = "".join(char if char.isprintable() else _escaped(char) for char in text[: at_most + 1])
    return shown if len(text) <= at_most else shown[:at_most] + "…"


def _escaped(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"


def good(text: str) -> str:
    """In green, on a terminal."""
    return click.style(text, fg="green")


def bad(text: str) -> str:
    """In red, on a terminal."""
    return click.style(text, fg="red")


def heading(text: str) -> str:
    """The title of a part."""
    return click.style(text, bold=True)


def say(lines: Sequence[str]) -> None:
    """Print lines; click takes the colours away where stdout is not a terminal."""
    for line in lines:
        click.echo(line, color=False if "NO_COLOR" in os.environ else None)


def columns(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Rows as aligned lines. Cells must be harmless already."""
    if not rows:
        return []
    widths = [max(_width(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append(f"{indent}{'  '.join(cells)}".rstrip())
    return lines


def _width(text: str) -> int:
    plain = _STYLED.sub("", text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in plain)
    return len(plain) + wide - sum(unicodedata.combining(char) > 0 for char in plain)
