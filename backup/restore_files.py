"""The files of an archive on their way back: refused before they are extracted, compared with the list afterwards.

Folders, files, links, hard links and named pipes come back; devices never do, and no file of root stays setuid.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backup.borg_output import Item
from coloc.errors import ColocError

_TYPES = frozenset("d-lhp")


@dataclass(frozen=True, slots=True)
class Listed:
    """What of an archive lies at or below some members: how many items, how many bytes, which members are there."""

    items: int
    bytes_of: dict[str, int]


def survey(items: Iterable[Item], members: Sequence[str]) -> Listed:
    """Look at every item before anything is extracted. Raises ColocError for an archive that could lead elsewhere."""
    links: set[str] = set()
    folders: set[str] = set()
    count, bytes_of = 0, dict[str, int]()
    for item in items:
        _refuse(item)
        if item.type == "l":
            links.add(item.path)
        folders.add(item.path.rpartition("/")[0])
        if item.mode[:1] == "h":
            folders.add(item.link_target.rpartition("/")[0])
        member = _below(item.path, members)
        if member is not None:
            count += 1
            bytes_of[member] = bytes_of.get(member, 0) + item.size
    for folder in folders:
        if led := next((each for each in _with_parents(folder) if each in links), None):
            raise _hostile(f"{led!r} is a link with something below it")
    return Listed(count, bytes_of)


def verify(
    items: Iterable[Item], folder: Path, members: Sequence[str], *, besides: Collection[Path] = frozenset()
) -> int:
    """Compare what lies in `folder` with the list: names, kinds, modes, sizes, links, count. Raises ColocError.

    besides: files that may lie there without being in the list.
    Returns how many files of root were setuid: they are not any more.
    """
    odd = _odd_names(folder, members)
    expected, stripped = 0, 0
    for item in items:
        if _below(item.path, members) is None:
            continue
        expected += 1
        waiting = odd.get(item.path)
        path = waiting.pop() if waiting else folder / item.path
        stripped += _compare(item, path)
    found = sum(path not in besides for member in members for path in walk(folder / member))
    if found != expected:
        raise ColocError(
            f"{found} files and folders came out of the archive, {expected} are in its list",
            hint="try again; nothing of the app was touched",
        )
    return stripped


def walk(top: Path) -> Iterator[Path]:
    """A path and everything below it; links are not followed."""
    if not os.path.lexists(top):
        return
    yield top
    if top.is_symlink() or not top.is_dir():
        return
    for folder, names, files in os.walk(top):
        for name in (*names, *files):
            yield Path(folder) / name


def same(one: Path, other: Path) -> bool:
    """Are two files or folders equal: names, kinds, modes, owners, contents?"""
    ours = {str(path.relative_to(one)): path for path in walk(one)}
    theirs = {str(path.relative_to(other)): path for path in walk(other)}
    return bool(ours) and ours.keys() == theirs.keys() and all(_alike(ours[name], theirs[name]) for name in ours)


def _alike(one: Path, other: Path) -> bool:
    ours, theirs = one.lstat(), other.lstat()
    if (ours.st_mode, ours.st_uid, ours.st_gid) != (theirs.st_mode, theirs.st_uid, theirs.st_gid):
        return False
    if stat.S_ISLNK(ours.st_mode):
        return one.readlink() == other.readlink()
    if stat.S_ISREG(ours.st_mode):
        return ours.st_size == theirs.st_size and one.read_bytes() == other.read_bytes()
    return True


def _refuse(item: Item) -> None:
    parts = item.path.split("/")
    if item.path.startswith("/") or "\0" in item.path or any(part in {"", ".", ".."} for part in parts):
        raise _hostile(f"the path {item.path[:200]!r}")
    if item.mode[:1] not in _TYPES:
        raise _hostile(f"{item.path[:200]!r} is a device or something stranger ({item.mode})")
    if item.mode[:1] == "h" and any(part in {"", ".", ".."} for part in item.link_target.split("/")):
        raise _hostile(f"{item.path[:200]!r} is a hard link to {item.link_target[:200]!r}")


def _hostile(what: str) -> ColocError:
    return ColocError(
        f"the archive is refused before anything is extracted: {what}",
        hint="it was not written by coloc-agent like this; use another archive or host",
    )


def _compare(item: Item, path: Path) -> int:
    try:
        found = path.lstat()
    except OSError as error:
        raise _different(item, "it is missing") from error
    stripped = 0
    if stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_ISUID and found.st_uid == 0:
        _strip(path)
        stripped = 1
    mode = stat.filemode(found.st_mode)
    if mode[0] != item.mode[0].replace("h", "-") or (mode[0] != "l" and mode[1:] != item.mode[1:]):
        raise _different(item, f"its mode is {mode}")
    if mode[0] == "-" and item.mode[0] != "h" and found.st_size != item.size:
        raise _different(item, f"it has {found.st_size} bytes")
    if mode[0] == "l" and "?" not in item.link_target and str(path.readlink()) != item.link_target:
        raise _different(item, "it leads elsewhere")
    return stripped


def _strip(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) & ~stat.S_ISUID)
    finally:
        os.close(descriptor)


def _different(item: Item, how: str) -> ColocError:
    return ColocError(
        f"{item.path[:200]!r} did not come out of the archive as it is listed: {how}",
        hint="is the disk full or bad? try again; nothing of the app was touched",
    )


def _odd_names(folder: Path, members: Sequence[str]) -> dict[str, list[Path]]:
    """Names that are no UTF-8, as Borg lists them: a ? for each odd byte."""
    found: dict[str, list[Path]] = {}
    for member in members:
        for path in walk(folder / member):
            name = str(path.relative_to(folder))
            with suppress(UnicodeEncodeError):
                name.encode()
                continue
            found.setdefault(listed_name(name), []).append(path)
    return found


def listed_name(name: str) -> str:
    """A name as Borg lists it: a ? for each byte that is no UTF-8."""
    return "".join("?" if "\udc80" <= letter <= "\udcff" else letter for letter in name)


def _below(path: str, members: Sequence[str]) -> str | None:
    return next((member for member in members if path == member or path.startswith(f"{member}/")), None)


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]
