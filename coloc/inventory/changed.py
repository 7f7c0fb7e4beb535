"""Files that an app's package wrote and that somebody changed since: what makes a server hard to take over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice

from coloc.inventory.owners import flatten
from coloc.inventory.tree import Tree, Unreadable

_MAX_BYTES = 2 * 1024 * 1024
_MAX_KEYS = 500
_MAX_FOLDERS = 300  # looked into for one key

Seen = set[tuple[str, str]]


def modified_files(tree: Tree, checksums: Mapping[str, str]) -> tuple[str, ...]:
    """The files whose md5 is no longer the noted one. A key whose file is gone says nothing."""
    changed: set[str] = set()
    for flat, noted in islice(checksums.items(), _MAX_KEYS):
        now = {path: _md5(tree, path) for path in _descend(tree, "", flat, set())}
        if noted not in now.values():
            changed |= {path for path, md5 in now.items() if md5 is not None}
    return tuple(sorted(changed))


def _descend(tree: Tree, folder: str, rest: str, seen: Seen) -> Iterator[str]:
    """The files that a key may mean: `_` stands for `/`, a space or itself, so the tree is asked at each step."""
    wanted = rest.removeprefix("_")
    # Symlinks in an app's folder can make ways without end to one place.
    step = (tree.resolve(folder) or "", rest)
    if wanted == rest or step in seen or len(seen) >= _MAX_FOLDERS:
        return
    seen.add(step)
    names = _names_by_spelling(tree, folder)
    ends = [end for end, char in enumerate(wanted) if char == "_"]
    for name in names.get(wanted, ()):
        if tree.is_file(f"{folder}/{name}"):
            yield f"{folder}/{name}"
    for end in ends:
        for name in names.get(wanted[:end], ()):
            if tree.is_folder(f"{folder}/{name}"):
                yield from _descend(tree, f"{folder}/{name}", wanted[end:], seen)


def _names_by_spelling(tree: Tree, folder: str) -> Mapping[str, list[str]]:
    def group(path: str) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in tree.names(path):
            found.setdefault(flatten(name), []).append(name)
        return found

    return tree.cached(folder or "/", group, key="spelling")


def _md5(tree: Tree, path: str) -> str | None:
    def hash_of(name: str) -> str | None:
        try:
            return hashlib.md5(tree.read(name, _MAX_BYTES), usedforsecurity=False).hexdigest()
        except Unreadable:
            return None

    return tree.cached(path, hash_of, key="md5")
