"""A Redis database takes the place of what is in its number: in one transaction, after what was there was dumped."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coloc.databases import redis
from coloc.databases.servers import Servers
from coloc.errors import ColocError


@dataclass(frozen=True, slots=True)
class RedisSwap:
    """`new` is loaded into the number; what was there is kept as the dump `kept`."""

    live: str
    new: str
    kept: str

    def as_data(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)


def keep(swap: RedisSwap, servers: Servers) -> None:
    """Write down what is there now, to the disk. Raises ColocError."""
    with os.fdopen(os.open(swap.kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        redis.dump(servers, redis.number_of(swap.live), file.write)
        file.flush()
        os.fsync(file.fileno())


def do(swap: RedisSwap, servers: Servers) -> None:
    """Exchange. Raises ColocError; then nothing was exchanged."""
    redis.load(servers, redis.number_of(swap.live), Path(swap.new), for_good=True)


def undo(swap: RedisSwap, servers: Servers) -> None:
    """As it was before. Safe to repeat. Raises ColocError."""
    if not Path(swap.kept).is_file():
        raise ColocError(f"{swap.kept}, which was replaced, is gone", hint="Redis stays as it was restored")
    redis.load(servers, redis.number_of(swap.live), Path(swap.kept), for_good=True)
