"""A Redis server of our own for a moment: only its socket in a closed folder, nothing on the disk, gone when we are."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from coloc.command import start
from coloc.databases import redis
from coloc.databases.servers import Servers
from coloc.errors import ColocError

_PATIENCE = 60.0


@contextmanager
def scratch_server() -> Iterator[Servers]:
    """Started for the block. Raises ColocError when Redis is not installed here, or does not start."""
    path = os.environ.get("PATH", "")
    program = shutil.which("redis-server", path=f"{path}:/usr/bin:/usr/sbin") or shutil.which("valkey-server")
    if program is None:
        raise ColocError("redis-server is not installed here", hint="a dump of Redis is tried with it: install it")
    with tempfile.TemporaryDirectory(prefix="coloc-redis-") as folder:  # a socket's path must be short
        socket = Path(folder) / "s"
        options = {"port": "0", "unixsocket": str(socket), "save": "", "appendonly": "no", "dir": folder}
        options |= {"databases": "1", "daemonize": "no", "loglevel": "warning"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        child = start(["setpriv", "--pdeathsig", "KILL", "--", program, *words], log=Path(folder) / "log")
        try:
            servers = Servers(redis_socket=str(socket))
            _wait(servers, child.poll)
            yield servers
        finally:
            child.stop(grace_seconds=5)


def try_dump(file: Path) -> Mapping[str, int]:
    """Load a dump into a server of our own, and count. Raises ColocError."""
    with scratch_server() as servers:
        redis.load(servers, 0, file, for_good=False)
        return {redis.ALL: redis.count(servers, 0)}


def _wait(servers: Servers, poll: object) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            redis.count(servers, 0)
        except ColocError:
            if (callable(poll) and poll() is not None) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
