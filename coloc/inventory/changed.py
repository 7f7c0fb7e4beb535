"""Files that an app's package wrote and that somebody changed since: what makes a server hard to take over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from coloc.inventory.owners import flatten
from coloc.inventory.tree import Tree, Unreadable

_MAX_BYTES = 8 * 1024 * 1024
_MAX_PATHS = 50


def modified_files(tree: Tree, checksums: Mapping[str, str]) -> tuple[str, ...]:
    """The files whose md5 is no longer the noted one. A key whose file is gone says nothing."""
    changed: set[str] = set()
    for flat, noted in checksums.items():
        now = {path: _md5(tree, path) for path in _paths_of(tree, flat)}
        if noted not in now.values():
            changed |= {path for path, md5 in now.items() if md5 is not None}
    return tuple(sorted(changed))


def _paths_of(tree: Tree, flat: str) -> list[str]:
    """The files that a key may mean: `_` stands for `/`, a space or itself, so the tree is asked at each step."""
    if not flat.startswith("_"):
        return []
    return [path for path, _ in zip(_descend(tree, "", flat), range(_MAX_PATHS), strict=False)]


def _descend(tree: Tree, folder: str, rest: str) -> Iterator[str]:
    wanted = rest[1:]
    for name in tree.names(folder or "/"):
        spelt = flatten(name)
        if spelt == wanted and tree.is_file(f"{folder}/{name}"):
            yield f"{folder}/{name}"
        elif wanted.startswith(spelt + "_") and tree.is_folder(f"{folder}/{name}"):
            yield from _descend(tree, f"{folder}/{name}", wanted.removeprefix(spelt))


def _md5(tree: Tree, path: str) -> str | None:
    def hash_of(name: str) -> str | None:
        try:
            return hashlib.md5(tree.read(name, _MAX_BYTES), usedforsecurity=False).hexdigest()
        except Unreadable:
            return None

    return tree.cached(path, hash_of, key="md5")
