"""A bounded sample of an app's contents, hashed while it is backed up, for a drill to compare with what comes back.

Files are found by walking down at random, a few listings in all: never a walk of the tree. A piece of each is read.
"""

from __future__ import annotations

import hashlib
import os
import random
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from coloc.errors import ColocError

MOST = 16  # samples of an app: what they cost is seen in bench/samples.py
PIECE_BYTES = 256 * 1024
_TRIES = 48
_DEPTH = 16
_ENTRIES = 500  # of a folder
_RACY_NS = 2_000_000_000  # a file that is being written may change once more without a new date


@dataclass(frozen=True, slots=True)
class Sample:
    """A piece of one file: `path` in the archive of files, the file's size and date, and the hash of the piece."""

    path: str
    size: int
    mtime_ns: int
    offset: int
    length: int
    sha256: str


def take_samples(tops: Sequence[tuple[Path, str]], *, seed: str, now: datetime) -> tuple[Sample, ...]:
    """Samples of what lies below `tops`: where it is on this disk, and its path in the archive.

    A file that cannot be read, or that is being written, is no sample: this proves, it does not save.
    """
    chance, found = random.Random(seed), dict[str, Sample]()  # noqa: S311 - chance, no secret
    listings: dict[Path, list[str]] = {}
    latest = int(now.timestamp() * 1e9) - _RACY_NS
    for _ in range(_TRIES if tops else 0):
        if len(found) == MOST:
            break
        top, member = chance.choice(tops)
        path = _descend(top, chance, listings)
        if path is None:
            continue
        name = member + str(path)[len(str(top)) :]
        if name not in found and (sample := _take(path, name, chance, latest)):
            found[name] = sample
    return tuple(found[name] for name in sorted(found))


def check_samples(samples: Sequence[Sample], folder: Path) -> tuple[int, int]:
    """How many samples came back the same, and how many lie in `folder` with another size or date.

    Those were written between the sample and the backup: nothing can be said of them. What is not in `folder` was
    not asked for. Raises ColocError for one that came back different.
    """
    same = changed = 0
    for sample in samples:
        path = folder / sample.path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb") as file:
            known = os.fstat(descriptor)
            if (known.st_size, known.st_mtime_ns) != (sample.size, sample.mtime_ns):
                changed += 1
                continue
            file.seek(sample.offset)
            piece = file.read(sample.length)
        if hashlib.sha256(piece).hexdigest() != sample.sha256:
            raise ColocError(
                f"{sample.path!r} came back with other contents than it had when it was saved, and with the same date",
                hint="is a disk bad, there or here? check the repository, and compare with another host",
            )
        same += 1
    return same, changed


def samples_from(data: Any) -> tuple[Sample, ...]:
    """The reverse of `asdict`, for the manifest. Raises KeyError, TypeError or ValueError."""
    return tuple(_sample(each) for each in data)


def _sample(data: Mapping[str, Any]) -> Sample:
    path = str(data["path"])
    if path.startswith("/") or "\0" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise ValueError("no path of an archive")
    numbers = [int(data[name]) for name in ("size", "mtime_ns", "offset", "length")]
    size, mtime_ns, offset, length = numbers
    if offset < 0 or not 0 <= length <= PIECE_BYTES:
        raise ValueError("no sample of ours")
    return Sample(path, size, mtime_ns, offset, length, str(data["sha256"]))


def _descend(top: Path, chance: random.Random, listings: dict[Path, list[str]]) -> Path | None:
    """A file somewhere below `top`, or None when this way ends without one. Links are not followed."""
    here = top
    for _ in range(_DEPTH):
        if here not in listings:
            listings[here] = sorted(_names(here))
        if not listings[here]:
            return None
        here = here / chance.choice(listings[here])
        try:
            mode = here.lstat().st_mode
        except OSError:
            return None
        if not stat.S_ISDIR(mode):
            return here if stat.S_ISREG(mode) else None
    return None


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in islice(entries, _ENTRIES))
    except OSError:
        return


def _take(path: Path, name: str, chance: random.Random, latest: int) -> Sample | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode) or before.st_ctime_ns > latest:
                return None
            offset = chance.randrange(max(1, before.st_size - PIECE_BYTES + 1))
            file.seek(offset)
            piece = file.read(PIECE_BYTES)
            after = os.fstat(descriptor)
    except OSError:
        return None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    digest = hashlib.sha256(piece).hexdigest()
    return Sample(name, before.st_size, before.st_mtime_ns, offset, len(piece), digest)
