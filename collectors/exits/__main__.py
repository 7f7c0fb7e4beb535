"""The program of coloc-agent-exits.service: `python -m collectors.exits [SOCKET]`.

systemd gives it its socket; without systemd SOCKET is made, for its owner only.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import FrameType

from collectors.exits.book import Book
from collectors.exits.netlink import Kernel
from collectors.exits.service import Service

_FIRST_PASSED = 3  # SD_LISTEN_FDS_START
_USAGE = "usage: python -m collectors.exits SOCKET (or started by coloc-agent-exits.socket)"


def main(argv: list[str]) -> int:
    """Serve until told to end. 2: called wrongly."""
    listener = _listener(argv)
    if listener is None:
        _say(_USAGE)
        return 2
    with listener:
        service = Service(listener, Kernel, Book(os.urandom(8).hex()), _say)

        def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signals call
            service.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        service.run()
    return 0


def _listener(argv: list[str]) -> socket.socket | None:
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=_FIRST_PASSED)
    if len(argv) != 1 or argv[0].startswith("-"):
        return None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(argv[0])
    finally:
        os.umask(before)
    listener.listen(4)
    return listener


def _say(what: str) -> None:
    """To the journal. No logging module: a service of this size would be a third of it."""
    sys.stderr.write(f"coloc-agent-exits: {what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
