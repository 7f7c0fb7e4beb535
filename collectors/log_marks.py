"""How far a log was read, and how to know the file again after it was renamed, copied, truncated or compressed.

A file is known by a fingerprint of what lies before the mark, beside its inode, which the system gives again to others.
The fingerprint has sixteen bits: enough to tell files apart, too few to guess an address from it.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_HEAD = 256
_TAIL = 64
_SECOND = 1_000_000_000
_MICRO = 1_000


@dataclass(frozen=True, slots=True)
class Mark:
    """All before `offset` (of the text, when the file is compressed) was read. `skipping`: inside an endless line."""

    inode: int
    offset: int = 0
    print: int = 0
    mtime_ns: int = 0
    skipping: bool = False

    def to_json(self) -> list[int]:
        """As a list of whole numbers."""
        return [self.inode, self.offset, self.print, self.mtime_ns, int(self.skipping)]


def mark_from_json(value: object) -> Mark | None:
    """The reverse of `to_json`; None for anything else."""
    if not isinstance(value, list) or len(value) != 5 or not all(type(item) is int and item >= 0 for item in value):
        return None
    return Mark(value[0], value[1], value[2], value[3], bool(value[4]))


@dataclass(frozen=True, slots=True)
class Generation:
    """One file of a rotated log: `number` 0 is written now, the highest is the oldest."""

    number: int
    path: Path
    inode: int
    size: int
    mtime_ns: int

    @property
    def compressed(self) -> bool:
        """True when gzip made it."""
        return self.path.name.endswith(".gz")


def generation_of(name: str) -> tuple[str, int] | None:
    """`x.log`, `x.log.3`, `x.log.3.gz` → (`x.log`, number); None for another name."""
    base, dot, number = name.removesuffix(".gz").rpartition(".")
    if not dot or name.endswith(".log"):
        return (name, 0) if name.endswith(".log") else None
    if number.isascii() and number.isdigit() and 0 < len(number) <= 4 and base.endswith(".log"):
        return base, int(number)
    return None


def generations(folder: Path, names: Iterable[str]) -> list[Generation]:
    """The files of one log, oldest first; the plain one before the compressed one that is being made of it."""
    found: dict[int, Generation] = {}
    places = sorted((place[1], name) for name in names if (place := generation_of(name)))
    # The newest first, and `x.log.1` before `x.log.1.gz`: a file that is renamed meanwhile is met again, not missed.
    for number, name in places:
        if number in found:
            continue
        try:
            status = os.stat(folder / name)  # noqa: PTH116 - what the path is now, once
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            here = Generation(number, folder / name, status.st_ino, status.st_size, status.st_mtime_ns)
            found = {at: other for at, other in found.items() if other.inode != here.inode} | {number: here}
    return [found[number] for number in sorted(found, reverse=True)]


def fingerprint(head: bytes, tail: bytes) -> int:
    """Of the first and the last bytes before a mark."""
    return zlib.crc32(tail, zlib.crc32(head)) & 0xFFFF


def print_at(file: int, offset: int) -> int | None:
    """The fingerprint of a plain, open file before `offset`; None when it is shorter than that."""
    head = os.pread(file, min(offset, _HEAD), 0)
    begin = max(0, offset - _TAIL)
    tail = os.pread(file, offset - begin, begin)
    return fingerprint(head, tail) if begin + len(tail) == offset else None


class Stream(Protocol):
    """A file, or what is packed in one."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


def skip_to(stream: Stream, offset: int) -> int | None:
    """Read a stream up to `offset` and return the fingerprint; None when it is shorter."""
    head = tail = stream.read(min(offset, _HEAD)) or b""
    left = offset - len(head)
    while left > 0:
        piece = stream.read(min(left, 1 << 18))
        if not piece:
            return None
        left -= len(piece)
        tail = (tail + piece)[-_TAIL:]
    return fingerprint(head, tail[-_TAIL:]) if left == 0 and len(head) == min(offset, _HEAD) else None


def not_before(generation: Generation, mark: Mark) -> bool:
    """True unless the file was last written before the mark was made. Some programs keep coarse times of a copy."""
    for grain in (_SECOND, _MICRO):
        if generation.mtime_ns % grain == 0:
            return generation.mtime_ns >= mark.mtime_ns // grain * grain
    return generation.mtime_ns >= mark.mtime_ns


def likely_first(chain: Sequence[Generation], mark: Mark) -> Iterator[Generation]:
    """The files that may be the marked one: that of the same inode, then copies, the oldest first."""
    yield from (item for item in chain if item.inode == mark.inode)
    yield from (item for item in chain if item.inode != mark.inode and not_before(item, mark))
