"""The keys of coloc.yml that describe an Alertmanager to which incidents are posted as well."""

from __future__ import annotations

from typing import Annotated

from coloc.config.marks import Within
from coloc.config.values import Described, Place, Seconds


class Alertmanager(Described):
    """A team's own Alertmanager: it routes and tells by its own rules; see docs/channels.md for who tells whom."""

    url: Annotated[str, Within(pattern=r"^https?://\S+$")]
    token_file: Place | None = None
    every: Seconds = 60.0
