"""The keys of coloc.yml about a team's Alertmanager: where incidents are posted, who may tell us its alerts."""

from __future__ import annotations

from typing import Annotated

from coloc.config.marks import Within
from coloc.config.values import Described, Place, Seconds


class Alertmanager(Described):
    """A team's own Alertmanager: it routes and tells by its own rules; see docs/channels.md for who tells whom."""

    url: Annotated[str, Within(pattern=r"^https?://\S+$")]
    token_file: Place | None = None
    every: Seconds = 60.0


class FromAlertmanager(Described):
    """A team's own Alertmanager may tell us its alerts; they become incidents here (docs/channels.md)."""

    token_file: Place  # the bearer token that it shows
    forget_after: Seconds = 12 * 3600.0  # what it did not say again for so long is over; above its repeat_interval
