"""Figures as people read them: sizes, parts, amounts of a quota, French or English. Pure."""

from __future__ import annotations

import math
import re


def figure(text: str, language: str) -> str:
    """A figure as it is written in a language: `1.5 GB` is `1,5 Go` in French."""
    if language != "fr":
        return text
    return re.sub(r"(?<= )([kMGT]?)B\b", r"\1o", text.replace(".", ","))


def percent(ratio: float) -> str:
    """`12 %` of what is not whole: never 100."""
    ratio = min(ratio, 0.99)
    return f"{ratio * 100:.0f} %" if ratio >= 0.01 else f"{ratio * 100:.1g} %"


def cores(value: float | None) -> str:
    """`0.25`: processors; "—" for what was not measured."""
    return "—" if value is None or not math.isfinite(value) else f"{value:.2f}"


def amount(resource: str, value: float | None) -> str:
    """A figure of a quota's resource, in its unit."""
    if resource in {"io", "network"} and value is not None:
        return f"{human_bytes(value)}/s"
    if resource in {"memory", "disk", "database"}:
        return human_bytes(value)
    if value is None or not math.isfinite(value):
        return "—"
    return f"{value:.2f}".rstrip("0").rstrip(".") if resource == "cpu" else f"{value:g}"


def human_bytes(size: float | None) -> str:
    """`1.5 GB`: decimal units, as disks are sold and quotas are written; "—" for what was not measured."""
    if size is None or not math.isfinite(size):
        return "—"
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
