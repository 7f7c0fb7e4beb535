"""Files changed by hand: settings.yml keeps the md5 of each file that YunoHost wrote, under a name with the path in it.

The name cannot be turned back into a path (`_` stands for `/`, blank and `_`), so it is matched against what is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from coloc.inventory.root import Root
from coloc.inventory.units import checksum_name

_MAX_BYTES = 16 * 1024 * 1024
_MOST_KEYS = 500
_MOST_STEPS = 3000


class Files:
    """Finds files by such names; remembers what folders hold while it lives."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._names: dict[str, list[tuple[str, str]]] = {}

    def changed(self, checksums: Mapping[str, str]) -> tuple[str, ...]:
        """The paths whose content differs from the md5 kept under their name, sorted; not files that are gone."""
        found = []
        for name, md5 in list(checksums.items())[:_MOST_KEYS]:
            sums = {path: self._md5(path) for path in self._paths(name)}
            known = {path: digest for path, digest in sums.items() if digest}
            if known and md5 not in known.values():
                found.append(min(known))
        return tuple(sorted(found))

    def _paths(self, name: str) -> Iterator[str]:
        todo, steps = [("", name)], 0
        while todo and steps < _MOST_STEPS:
            folder, rest = todo.pop()
            if not rest.startswith("_"):
                continue
            for encoded, real in self._entries(folder or "/"):
                steps += 1
                if rest[1:] == encoded:
                    yield f"{folder}/{real}"
                elif rest[1:].startswith(f"{encoded}_"):
                    todo.append((f"{folder}/{real}", rest[1 + len(encoded) :]))

    def _entries(self, folder: str) -> list[tuple[str, str]]:
        if folder not in self._names:
            self._names[folder] = [(checksum_name(name), name) for name in self._root.names(folder)]
        return self._names[folder]

    def _md5(self, path: str) -> str:
        try:
            data = self._root.read(path, limit=_MAX_BYTES)
        except (OSError, ValueError):
            return ""
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
