"""Reading files below a root as the server itself would see them; never leaves that root, never blocks, never writes.

Everything that is looked at is remembered with its signature, so that a second look tells cheaply if all is as it was.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

MAX_BYTES = 256 * 1024  # YunoHost's own files are a few KiB
_MAX_LINKS = 40
_MAX_NAMES = 20_000

T = TypeVar("T")
Signature = tuple[int, int, int, int, int]


class Unreadable(Exception):
    """A file that cannot be used; the reason never quotes what the file holds."""


class Tree:
    """The files below `root`; paths are absolute, as the server sees them."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root).rstrip("/")
        self._folders: dict[str, str | None] = {}  # resolved folders of this pass
        self._seen: dict[str, Signature | None] = {}
        self._values: dict[tuple[str, object], tuple[Signature, object]] = {}

    def begin(self) -> None:
        """Start a new pass: forget what the last one looked at, keep the values it parsed."""
        self._values = {key: value for key, value in self._values.items() if key[0] in self._seen}
        self._folders, self._seen = {}, {}

    def unchanged(self) -> bool:
        """True when nothing that this pass looked at has changed since."""
        self._folders = {}
        return all(self._signature(path) == signature for path, signature in self._seen.items())

    def resolve(self, path: str) -> str | None:
        """Where `path` really lies, symlinks followed inside the root; None when nothing can be there."""
        parent, _, name = path.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            return self._walk(path)
        if parent not in self._folders:
            self._folders[parent] = self._walk(parent)
        folder = self._folders[parent]
        if folder is None:
            return None
        here = f"{folder}/{name}"
        try:
            is_link = stat.S_ISLNK(os.lstat(here).st_mode)
        except (OSError, ValueError):
            return None
        return self._walk(path) if is_link else here

    def is_file(self, path: str) -> bool:
        """True for a regular file, symlinks followed."""
        return self._has_type(path, stat.S_ISREG)

    def is_folder(self, path: str) -> bool:
        """True for a folder, symlinks followed."""
        return self._has_type(path, stat.S_ISDIR)

    def names(self, path: str) -> tuple[str, ...]:
        """The sorted names in a folder; none when it is missing, forbidden or no folder."""
        if not self.is_folder(path):
            return ()
        return self.cached(path, self._list)

    def read(self, path: str, limit: int = MAX_BYTES) -> bytes:
        """The bytes of a regular file. Raises Unreadable."""
        signature = self._note(path)
        where = self.resolve(path)
        if where is None or signature is None:
            raise Unreadable("is missing")
        if not stat.S_ISREG(signature[4]):
            raise Unreadable("is not a regular file")
        try:
            data = _read_bytes(where, limit + 1)
        except OSError as error:
            raise Unreadable(_reason(error)) from None
        if len(data) > limit:
            raise Unreadable(f"is larger than {limit // 1024} KiB")
        return data

    def text(self, path: str) -> str:
        """The text of a file that programs wrote; empty when it cannot be read."""

        def decode(name: str) -> str:
            try:
                return self.read(name).decode("utf-8", "replace")
            except Unreadable:
                return ""

        return self.cached(path, decode, key="text")

    def cached(self, path: str, make: Callable[[str], T], key: object = None) -> T:
        """`make(path)`, made again only when what lies there changed. `make` raises nothing."""
        signature = self._note(path)
        place = (path, key or make)
        kept = self._values.get(place)
        if kept is None or signature is None or kept[0] != signature:
            value = make(path)
            if signature is not None:
                self._values[place] = (signature, value)
            return value
        return kept[1]  # type: ignore[return-value]  # the key names the function that made it

    def _has_type(self, path: str, check: Callable[[int], bool]) -> bool:
        signature = self._note(path)
        return signature is not None and check(signature[4])

    def _note(self, path: str) -> Signature | None:
        if path not in self._seen:
            self._seen[path] = self._signature(path)
        return self._seen[path]

    def _signature(self, path: str) -> Signature | None:
        parent, _, name = path.rstrip("/").rpartition("/")
        folder = self._folders.get(parent) if name not in ("", ".", "..") else None
        where = f"{folder}/{name}" if folder is not None else self.resolve(path)
        if where is None:
            return None
        try:
            found = os.lstat(where)
            if stat.S_ISLNK(found.st_mode):
                where = self._walk(path)
                if where is None:
                    return None
                found = os.lstat(where)
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode

    def _list(self, path: str) -> tuple[str, ...]:
        where = self.resolve(path)
        try:
            names = [entry.name for entry in Path(where).iterdir()] if where else []
        except OSError:
            return ()
        return tuple(sorted(name for name in names if _is_text(name))[:_MAX_NAMES])

    def _walk(self, path: str) -> str | None:
        """Resolve every component; a link's absolute target starts again at the root, `..` stops there."""
        rest = [part for part in reversed(path.split("/")) if part]
        done: list[str] = []
        links = 0
        while rest:
            part = rest.pop()
            if part == ".":
                continue
            if part == "..":
                del done[-1:]
                continue
            here = "/".join([self._root, *done, part])
            try:
                if not stat.S_ISLNK(os.lstat(here).st_mode):
                    done.append(part)
                    continue
                target = str(Path(here).readlink())
            except (OSError, ValueError):
                return None
            links += 1
            if links > _MAX_LINKS:
                return None
            if target.startswith("/"):
                done = []
            rest += [piece for piece in reversed(target.split("/")) if piece]
        return "/".join([self._root, *done]) or "/"


def _read_bytes(where: str, limit: int) -> bytes:
    """Not blocking, no link: another file may have been put in this one's place a moment ago."""
    handle = os.open(where, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        parts: list[bytes] = []
        while limit > 0 and (part := os.read(handle, min(limit, 1 << 20))):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def _is_text(name: str) -> bool:
    """Names that are not UTF-8, or hold control characters, can be nobody's app, unit or pool."""
    return name.isprintable()


def _reason(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "cannot be read: no right to"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "is missing"
    return f"cannot be read: {error.strerror}"
