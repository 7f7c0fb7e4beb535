"""The units in the kernel's tree of control groups (v2), and their small files. Nothing where there is no such tree."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

_MAX_BYTES = 64 * 1024
_MOST_FOLDERS = 5_000

K = TypeVar("K", bound=Hashable)


def unit_folders(root: Path) -> dict[str, str]:
    """Unit → its folder below `root` (/sys/fs/cgroup). Never looks inside a unit: users may name what lies there."""
    found: dict[str, str] = {}
    left = [str(root)]
    looked = 0
    while left and looked < _MOST_FOLDERS:
        folder = left.pop()
        looked += 1
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".slice"):
                        left.append(entry.path)
                    elif entry.name.endswith((".service", ".scope")):
                        found.setdefault(entry.name, entry.path)
        except OSError:
            continue
    return found


def read_small(folder: str, name: str) -> bytes:
    """One file of a group; nothing when it is not there."""
    try:
        descriptor = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        found = block = os.read(descriptor, _MAX_BYTES)
        while block and len(found) < _MAX_BYTES:  # the kernel gives a long list in pieces of a page
            block = os.read(descriptor, _MAX_BYTES)
            found += block
        return found
    except OSError:  # the unit was stopped between the two
        return b""
    finally:
        os.close(descriptor)


def parse_numbers(data: bytes) -> dict[str, int]:
    """The `word number` lines of a file such as memory.events; other lines are passed over."""
    found = {}
    for line in data.split(b"\n"):
        words = line.split()
        if len(words) == 2 and words[1].isdigit() and len(words[1]) < 20:
            found[words[0].decode("ascii", "replace")] = int(words[1])
    return found


def parse_pids(data: bytes) -> list[int]:
    """The processes of a group, from its cgroup.procs."""
    return [int(word) for word in data.split() if word.isdigit() and len(word) < 10]


class Growth(Generic[K]):
    """What counters grew by from look to look. The kernel begins again at nought when a unit is started anew."""

    def __init__(self) -> None:
        self._last: dict[K, int] = {}

    def of(self, values: Mapping[K, int]) -> dict[K, int]:
        """What was added since the last look; nothing for a counter that is seen for the first time."""
        grown = {}
        for key, now in values.items():
            before = self._last.get(key, now)
            grown[key] = now - before if now >= before else now
            self._last[key] = now
        return grown

    def keep(self, keys: Iterable[K]) -> None:
        """Forget every other counter. A unit that is only stopped is to be kept."""
        kept = set(keys)
        self._last = {key: value for key, value in self._last.items() if key in kept}
