"""The files of a drill: extracted into a closed scratch folder, compared with the archive's list, and with the samples.

All at once where there is room; else slice by slice, each gone before the next comes. Of a part only what was chosen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from backup.borg import Repository, read_items
from backup.borg_output import Item
from backup.manifest import Manifest
from backup.restore_files import survey, verify
from backup.samples import check_samples

_MOST_NAMES = 50_000  # of a slice: what is remembered at a time
_MOST_ODD = 500  # of a slice: Borg compares every path with each of them


@dataclass(frozen=True, slots=True)
class Contents:
    """The list of an archive, read once: its outermost entries, and sums."""

    repository: Repository
    archive: str
    lines: Path
    tops: tuple[str, ...]
    items: int
    bytes: int

    def read(self) -> Iterator[Item]:
        """The entries, one by one."""
        return read_items(self.lines)


@dataclass(frozen=True, slots=True)
class FilesProof:
    """What came back as it was. `changed`: samples that were written while the app was saved, and say nothing."""

    files: int = 0
    bytes: int = 0
    samples: int = 0
    changed: int = 0

    def plus(self, other: FilesProof) -> FilesProof:
        """Both together."""
        return FilesProof(
            self.files + other.files,
            self.bytes + other.bytes,
            self.samples + other.samples,
            self.changed + other.changed,
        )


@dataclass(frozen=True, slots=True)
class Slice:
    """What is extracted at a time. `paths` empty: everything."""

    paths: frozenset[str]
    files: int
    bytes: int


def list_contents(repository: Repository, archive: str, lines: Path, *, timeout: float) -> Contents:
    """Ask for the list, and refuse an archive that could lead elsewhere. Raises ColocError."""
    repository.write_items(archive, lines, timeout=timeout)
    tops: list[str] = []
    for item in read_items(lines):
        if not any(item.path == top or item.path.startswith(f"{top}/") for top in tops):
            tops = [top for top in tops if not top.startswith(f"{item.path}/")] + [item.path]
    listed = survey(read_items(lines), tops)
    return Contents(repository, archive, lines, tuple(tops), listed.items, sum(listed.bytes_of.values()))


def slices(
    items: Iterable[Item], takes: Callable[[Item], bool], *, room: int, most: int | None = None
) -> Iterator[Slice]:
    """The chosen entries, `most` bytes in all, in slices of at most `room` bytes: a larger file cannot be taken."""
    paths: set[str] = set()
    files = size = odd = 0
    left = float("inf") if most is None else most
    for item in items:
        if item.size > min(room, left) or not takes(item):
            continue
        left -= item.size
        is_odd = not _is_plain(item.path)
        if paths and (size + item.size > room or len(paths) >= _MOST_NAMES or odd + is_odd > _MOST_ODD):
            yield Slice(frozenset(paths), files, size)
            paths, files, size, odd = set(), 0, 0, 0
        paths.add(item.path)
        files, size, odd = files + 1, size + item.size, odd + is_odd
    if paths:
        yield Slice(frozenset(paths), files, size)


def prove_slice(contents: Contents, part: Slice, manifest: Manifest, folder: Path, *, timeout: float) -> FilesProof:
    """Extract one slice into `folder`, compare it, and leave it there. Raises ColocError for the first difference."""
    with_parents = part.paths | {above for path in part.paths for above in _parents(path, contents.tops)}
    patterns = None
    if part.paths:
        patterns = folder.with_name(f"{folder.name}.patterns")
        _write_patterns(patterns, with_parents)
    folder.mkdir(mode=0o700)
    contents.repository.extract(contents.archive, folder, patterns=patterns, numeric_ids=True, timeout=timeout)
    wanted = (item for item in contents.read() if not part.paths or item.path in with_parents)
    first = next(wanted, None)
    if first is not None:
        tops = [top for top in contents.tops if not part.paths or top in with_parents]
        verify(chain([first], wanted), folder, tops)
    same, changed = check_samples(manifest.samples, folder)
    return FilesProof(part.files, part.bytes, same, changed)


def remove_tree(folder: Path) -> None:
    """Remove what was extracted, also folders that nobody may write. Raises OSError."""
    if not folder.is_dir():
        return
    for above, names, _ in os.walk(folder):
        for name in names:
            path = Path(above) / name
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)


def _parents(path: str, tops: Iterable[str]) -> Iterator[str]:
    top = next(top for top in tops if path == top or path.startswith(f"{top}/"))
    while path != top:
        path = path.rpartition("/")[0]
        yield path


def _write_patterns(file: Path, paths: Iterable[str]) -> None:
    """Just these, and nothing below them: what looks like another kind of pattern is a name here."""
    lines = [f"+ pf:{path}" if _is_plain(path) else f"+ re:{_as_regex(path)}" for path in paths]
    file.write_text("".join(f"{line}\n" for line in [*lines, "- re:."]), encoding="utf-8")


def _is_plain(path: str) -> bool:
    return path.isprintable() and "?" not in path and path == path.strip()


def _as_regex(path: str) -> str:
    """A name that a line of patterns cannot hold. Borg lists a byte that is no UTF-8 as `?`."""
    return rf"\A{''.join(_letter(letter) for letter in path)}\Z"


def _letter(letter: str) -> str:
    if letter == "?":
        return r"[?\udc80-\udcff]"
    return letter if (letter.isalnum() and letter.isascii()) or letter in "/_" else rf"\U{ord(letter):08x}"
