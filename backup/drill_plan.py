"""Which archives a drill proves now, whole or in part, within a purse of time, processor and download. Pure.

Rules. 1. Due is what was not tried for `every`; a try that failed is due after a day. 2. What was proven whole longest
ago comes first, what never was before all. 3. Each in its turn is proven whole when the purse allows; if not, a part:
its equal share of what is left, so that one large app starves nobody. 4. A part is never counted as the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

AGAIN = timedelta(hours=20)  # "the next day", whatever hour it is
_CLOCK_ERROR = timedelta(hours=1)
LEAST_BYTES = 1_000_000  # a smaller part proves nothing
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pair:
    """An app's newest archive on a host, and what was proven of that app there. `bytes`: all that it holds."""

    app: str
    host: str
    bytes: int
    whole_at: datetime | None = None
    tried_at: datetime | None = None
    tried_ok: bool = True


@dataclass(frozen=True, slots=True)
class Purse:
    """What may be spent, in bytes read: by time and processor, and from each host (None: as much as there is)."""

    bytes: int
    download: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Turn:
    """One drill of a run: the whole, or this many bytes of it."""

    pair: Pair
    bytes: int

    @property
    def whole(self) -> bool:
        """True when all of it is to be proven."""
        return self.bytes >= self.pair.bytes


def due(pairs: Iterable[Pair], *, every: timedelta, now: datetime) -> list[Pair]:
    """Those whose time has come, the longest unproven first."""
    waiting = [pair for pair in pairs if _is_due(pair, every, now)]
    return sorted(waiting, key=lambda pair: (pair.whole_at or _NEVER, pair.tried_at or _NEVER, pair.app, pair.host))


def plan_turns(waiting: Sequence[Pair], purse: Purse) -> list[Turn]:
    """How much of each, in the order given, until the purse is empty."""
    left, download = purse.bytes, dict(purse.download)
    turns: list[Turn] = []
    for number, pair in enumerate(waiting):
        there = download.get(pair.host)
        most = left if there is None else min(left, there)
        if pair.bytes > most:
            others = waiting[number:]
            most = left // len(others)
            if there is not None:
                most = min(most, there // sum(other.host == pair.host for other in others))
            if most < LEAST_BYTES:
                continue
        turn = Turn(pair, min(pair.bytes, most))
        turns.append(turn)
        left -= turn.bytes
        if there is not None:
            download[pair.host] = there - turn.bytes
    return turns


def is_chosen(path: str, seed: str, ratio: float) -> bool:
    """Whether a file belongs to the part: by chance, but the same for one seed; another part every time."""
    digest = hashlib.sha256(f"{seed}\0{path}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < ratio * 2**64


def _is_due(pair: Pair, every: timedelta, now: datetime) -> bool:
    if pair.tried_at is None or pair.tried_at > now + _CLOCK_ERROR:
        return True
    return now - pair.tried_at >= (every if pair.tried_ok else min(AGAIN, every))
