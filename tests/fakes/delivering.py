"""Delivers an outbox to Matrix until it is killed: the victim of the tests that kill it. argv: state.db, URL, room."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from alerts.delivery import Delivery
from alerts.matrix import MatrixChannel
from coloc.secrets import Secret


def main() -> None:
    """Deliver for ever; the token comes by the environment."""
    state, url, room = sys.argv[1:]
    matrix = MatrixChannel(url, Secret(os.environ["MATRIX_TOKEN"]), room)
    Delivery(Path(state), {"matrix": matrix}).start()
    print("started", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
