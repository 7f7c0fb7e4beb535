"""Delivers an outbox until it is killed: the victim of the tests that kill it. argv: state.db, URL, room.

Room "webhook": the URL is a webhook's.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from alerts.channel import Channel
from alerts.delivery import Delivery
from alerts.matrix import MatrixChannel
from alerts.webhook import WebhookChannel
from coloc.secrets import Secret


def main() -> None:
    """Deliver for ever; the token comes by the environment."""
    state, url, room = sys.argv[1:]
    channel: Channel
    if room == "webhook":
        channel = WebhookChannel(Secret(url), None, coloc="velo")
    else:
        channel = MatrixChannel(url, Secret(os.environ["MATRIX_TOKEN"]), room)
    Delivery(Path(state), {channel.name: channel}).start()
    print("started", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
