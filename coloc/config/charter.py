"""The keys of coloc.yml that say how this colocation keeps its charter."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from coloc.config.marks import ReadBy, Within
from coloc.config.register import Category, Words
from coloc.config.values import Described, Seconds, nothing_means_defaults


class Offered(Described):
    """A service that the association has already: `link` alone, or with its name."""

    link: Annotated[str, Within(pattern=r"^https?://\S+$")]
    name: Words | None = None


def _offered(value: object) -> object:
    return {"link": value} if isinstance(value, str) else value


class Charter(Described):
    """How this colocation keeps its charter."""

    already_offered: dict[Category, Annotated[Offered, ReadBy(_offered)]] = field(default_factory=dict)
    no_upgrade_after: Seconds = 182 * 86400.0
    unused_after: Seconds = 90 * 86400.0
    review_after: Seconds = 365 * 86400.0  # so long a review of the handover sheet counts


OptionalCharter = Annotated[Charter, ReadBy(nothing_means_defaults)]
