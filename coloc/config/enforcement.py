"""The keys of coloc.yml that let quotas be enforced. Without them nothing outside our own folders is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from coloc.config.marks import Within
from coloc.config.values import Described, Seconds

# What can be held back. `network` is not among them: nothing here tells one project's share of it from another's.
Enforceable = Literal[
    "cpu",
    "memory",
    "disk",
    "files",
    "database",
    "database_connections",
    "processes",
    "io",
    "mail_per_hour",
    "mail_per_day",
]
BY_SLICES = frozenset({"cpu", "memory", "processes", "io"})


class Enforce(Described):
    """What is common to all that is enforced. `enforce: slices` is short for `enforce: {slices: true}`."""

    slices: bool = False  # each project's units in a slice of its own, with the weight of its share
    weight: Annotated[int, Within(ge=1, le=10000)] = 200  # of all projects together; the rest of the system has 100
    simulate_for: Seconds = 14 * 86400.0  # a quota is enforced only after it was simulated for so long


def parse_enforce(value: object) -> object:
    """`slices` alone, or keys; nothing behind `enforce:` is the defaults."""
    if value == "slices":
        return {"slices": True}
    return {} if value is None else value


def wrong_enforcement(data: Mapping[str, Any]) -> Iterator[tuple[list[Any], str]]:
    """What is enforced and cannot be: (place, words). It takes data as it was written, whatever its shape."""
    common = data.get("enforce")
    has_slices = common == "slices" or (isinstance(common, Mapping) and common.get("slices") is True)
    for kind in ("projects", "apps"):
        blocks = data.get(kind)
        for name, block in blocks.items() if isinstance(blocks, Mapping) else ():
            listed = block.get("enforce") if isinstance(block, Mapping) else None
            if isinstance(listed, list | tuple):
                quotas = block.get("quotas")
                agreed = (
                    {key for key, limit in quotas.items() if limit is not None}
                    if isinstance(quotas, Mapping)
                    else set()
                )
                for number, resource in enumerate(listed):
                    words = _wrong(resource, agreed, has_slices=has_slices, is_shared=bool(block.get("shared_by")))
                    if words:
                        yield [kind, name, "enforce", number], words


def _wrong(resource: object, agreed: set[Any], *, has_slices: bool, is_shared: bool) -> str:
    if not isinstance(resource, str):
        return ""
    if is_shared:
        return "is of a shared app, which is never acted on for one project alone; agree with all and leave it out"
    if resource not in agreed:
        return f"has no limit: write quotas: {{{resource}: …}} beside it"
    if resource in BY_SLICES and not has_slices:
        return "needs slices: write enforce: slices at the left margin"
    return ""
