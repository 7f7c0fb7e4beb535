"""The keys of coloc.yml that describe who else notices when the agent falls silent."""

from __future__ import annotations

from typing import Literal

from coloc.config.values import Described, Place, Seconds


class Heartbeat(Described):
    """An address that is asked after each full round; whoever keeps it tells people when that ends."""

    ping_file: Place  # the address is a secret: who knows it can feign that we live
    every: Seconds = 60.0
    method: Literal["get", "post"] = "get"
