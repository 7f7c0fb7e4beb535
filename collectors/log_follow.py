"""Follows one log through rotation, truncation, compression and restarts: every whole line once.

What it gave out is what its marks say: whoever keeps counts and marks together counts nothing twice and loses nothing.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from collectors.log_marks import Generation, Mark, Stream, likely_first, print_at, skip_to

CHUNK = 1 << 20  # also the longest line; nginx's own limits keep lines below 200 KiB
_BROKEN = (OSError, EOFError, zlib.error)


class _Moved(Exception):
    """A file was renamed while we looked: the next look sees where it is."""


@dataclass(slots=True)
class Budget:
    """Bytes that may still be read in this look."""

    left: int


class Follower:
    """One log. `chain` lists its files, oldest first, afresh if told so; asked only when `path` is not marked."""

    def __init__(
        self,
        path: Path,
        chain: Callable[[bool], Sequence[Generation]],
        mark: Mark | None = None,
        before: Mark | None = None,
    ) -> None:
        self.path, self.mark, self.before = path, mark, before
        self.gaps = 0  # times that a file was gone, or broken, before it was read to its end
        self._chain = chain

    def skip_to_end(self) -> None:
        """Begin with what is written from now on: after the last whole line."""
        with suppress(FileNotFoundError), self.path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            begin = max(0, status.st_size - CHUNK)
            cut = os.pread(file.fileno(), CHUNK, begin).rfind(b"\n") + 1
            print_ = print_at(file.fileno(), begin + cut) or 0
            skipping = begin > 0 and cut == 0
            self.mark = Mark(status.st_ino, begin + cut, print_, status.st_mtime_ns, skipping)

    def lines(self, budget: Budget) -> Iterator[bytes]:
        """Pieces of whole lines, each ending with a newline, while the budget lasts; to be taken to the last.

        Raises OSError when a file cannot be opened; nothing was given out of it then.
        """
        with suppress(_Moved):
            yield from self._lines(budget)

    def _lines(self, budget: Budget) -> Iterator[bytes]:
        if self.before is not None:
            yield from self._late(self.before, budget)
        here = _status(self.path, 0)
        if self.mark is None or here is None or here.inode != self.mark.inode or here.size < self.mark.offset:
            yield from self._through_generations(budget)
        elif here.size > self.mark.offset or here.mtime_ns != self.mark.mtime_ns:
            if _holds(here, self.mark):
                self.mark = yield from self._read(here, self.mark, budget)
            else:
                yield from self._through_generations(budget)

    def _through_generations(self, budget: Budget) -> Iterator[bytes]:
        """The marked file to its end, wherever it is now; then all that are newer."""
        chain, found = self._seek(self.mark, self.before)
        if not chain:
            return
        if found is not None:
            chain = chain[chain.index(found) :]
        elif self.mark is not None:
            self.gaps += self.mark.offset > 0
            chain = [item for item in chain if item.number == 0]
        for item in chain:
            mark = self.mark if item is found and self.mark else Mark(item.inode, mtime_ns=item.mtime_ns)
            mark = yield from self._read(item, mark, budget)
            self.before, self.mark = self.before if item is found else self.mark, mark
            if budget.left <= 0:
                return

    def _seek(self, mark: Mark | None, other: Mark | None) -> tuple[list[Generation], Generation | None]:
        """The files as they are now, and the marked one. It may be renamed or packed between two looks at names."""
        for fresh in (False, True, True, True):
            chain = list(self._chain(fresh))
            found = None if mark is None else find(chain, mark, other_than=other)
            oldest = None if mark is None else found
            if (mark is None or found is not None) and _without_holes(chain, oldest):
                break
        return chain, found

    def _late(self, mark: Mark, budget: Budget) -> Iterator[bytes]:
        """Lines that came into the file before the present one: nginx writes there until it is told to reopen."""
        here = _status(self.path.with_name(f"{self.path.name}.1"), 1)
        if here is not None and here.inode == mark.inode and here.size == mark.offset:
            return
        if here is None or here.inode != mark.inode or not _holds(here, mark):
            _, here = self._seek(mark, self.mark)
        if here is not None:
            mark = yield from self._read(here, mark, budget)
        stays = here is not None and not here.compressed and here.number <= 1
        untouched = self.mark is not None and self.mark.offset == 0  # `find` must not take the one for the other
        self.before = mark if stays or untouched or budget.left <= 0 else None

    def _read(self, item: Generation, mark: Mark, budget: Budget) -> Generator[bytes, None, Mark]:
        """From the mark to the end of one file; returns the mark that is reached."""
        try:
            file = item.path.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise _Moved from error
        with closing(file):
            status = os.fstat(file.fileno())
            if status.st_ino != item.inode:
                raise _Moved
            if item.compressed:
                with gzip.GzipFile(fileobj=file) as stream:
                    with suppress(*_BROKEN):
                        skip_to(stream, mark.offset)
                    mark = yield from self._pieces(stream, mark, budget)
            else:
                file.seek(mark.offset)
                mark = yield from self._pieces(file, mark, budget)
            print_ = _print(
                file, mark.offset, compressed=item.compressed
            )  # of this file: the path may be another's by now
        return replace(mark, inode=item.inode, print=print_ or 0, mtime_ns=status.st_mtime_ns)

    def _pieces(self, stream: Stream, mark: Mark, budget: Budget) -> Generator[bytes, None, Mark]:
        rest = b""
        while budget.left > 0:
            try:
                data = stream.read(CHUNK - len(rest))
            except _BROKEN:
                self.gaps += 1
                break
            if not data:
                break
            rest += data
            cut = rest.rfind(b"\n") + 1
            if cut == 0 and len(rest) < CHUNK:
                continue
            if cut == 0:  # an endless line: not kept, and nothing is taken until the next one begins
                mark = replace(mark, offset=mark.offset + CHUNK, skipping=True)
                budget.left, rest = budget.left - CHUNK, b""
                continue
            piece, rest = rest[:cut], rest[cut:]
            if mark.skipping:
                piece = piece[piece.index(b"\n") + 1 :]
            budget.left -= cut
            mark = replace(mark, offset=mark.offset + cut, skipping=False)
            if piece:
                yield piece
        return mark


def find(chain: Sequence[Generation], mark: Mark, *, other_than: Mark | None = None) -> Generation | None:
    """The marked file among those of a log; never the one that `other_than` marks."""
    for item in likely_first(chain, mark):
        if mark.offset == 0 and item.inode != mark.inode and _was_read(item, other_than):
            continue  # a file of which nothing was read may be any: but not what was read as another
        if _holds(item, mark):
            return item
    return None


def _without_holes(chain: Sequence[Generation], oldest: Generation | None) -> bool:
    """False when a file between the oldest and the present one was not seen: it was just getting another name."""
    numbers = [item.number for item in chain if oldest is None or item.number <= oldest.number]
    return not numbers or (numbers[-1] <= 1 and numbers[0] - numbers[-1] == len(numbers) - 1)


def _was_read(item: Generation, mark: Mark | None) -> bool:
    return mark is not None and mark.offset > 0 and _holds(item, mark)


def _holds(item: Generation, mark: Mark) -> bool:
    """True when what lies before the mark is what lay there."""
    if mark.offset:
        return _print_of(item, mark.offset) == mark.print
    is_made_since = (
        item.size == 0 and item.mtime_ns != mark.mtime_ns
    )  # an empty file that got the inode of the marked one
    return item.number > 0 or (item.inode == mark.inode and not is_made_since)


def _print_of(item: Generation, offset: int) -> int | None:
    with suppress(OSError), item.path.open("rb", buffering=0) as file:
        return _print(file, offset, compressed=item.compressed)
    return None


def _print(file: FileIO, offset: int, *, compressed: bool) -> int | None:
    with suppress(*_BROKEN):
        if not compressed:
            return print_at(file.fileno(), offset)
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as stream:
            return skip_to(stream, offset)
    return None


def _status(path: Path, number: int) -> Generation | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - quicker than pathlib's; when nothing happened this is all that a look costs
    except FileNotFoundError:
        return None
    return Generation(number, path, status.st_ino, status.st_size, status.st_mtime_ns)
