"""Finds SQLite databases in an app's folders: by their endings, then by their first bytes. Follows no links."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from coloc.inventory.root import Root

_MAGIC = b"SQLite format 3\0"
_ENDINGS = (".db", ".db3", ".sqlite", ".sqlite3", ".sdb", ".s3db")
_NOT_INSIDE = {"node_modules", ".git", "vendor", "venv", ".venv", "cache", ".cache", "site-packages", "__pycache__"}
_MOST_ENTRIES = 50_000
_DEEPEST = 6


def find_databases(root: Root, folders: Iterable[str]) -> tuple[str, ...]:
    """The paths, as the server sees them, of the SQLite files below `folders`, sorted."""
    found = set()
    for folder in folders:
        with suppress(OSError, ValueError):
            place = root.place(folder)
            found |= {f"{folder.rstrip('/')}/{path}" for path in _below(place)}
    return tuple(sorted(found))


def _below(top: Path) -> Iterator[str]:
    seen = 0
    for folder, inside, files in os.walk(top):
        here = Path(folder).relative_to(top)
        inside[:] = [] if len(here.parts) >= _DEEPEST else sorted(set(inside) - _NOT_INSIDE)
        seen += len(files)
        if seen > _MOST_ENTRIES:
            return
        for file in files:
            if file.endswith(_ENDINGS) and file.isprintable() and _is_database(Path(folder, file)):
                yield str(here / file) if here.parts else file


def _is_database(path: Path) -> bool:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(descriptor, len(_MAGIC)) == _MAGIC
        finally:
            os.close(descriptor)
    return False
