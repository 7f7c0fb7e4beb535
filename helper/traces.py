"""Everything of ours outside our own folders, found by its own marks, with what undoes it; and undoing all of it.

Nothing here needs what we remember: a journal that is lost or damaged hides no trace.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from coloc.command import Run
from coloc.command import run as _run
from coloc.errors import ColocError
from helper.journal import HELD
from helper.slice_files import found_files, runtime_folders, take_away


@dataclass(frozen=True, slots=True)
class Trace:
    """One change: where, what, and how a person would take it back without us."""

    place: str
    what: str
    undo: str


class Source(Protocol):
    """A place where traces can be. `unseen`: what could not be looked at the last time, a sentence each."""

    unseen: list[str]

    def find(self) -> Iterator[Trace]:
        """Those that are there. Raises ColocError when it cannot look."""

    def undo_all(self) -> list[str]:
        """Take every one back; what was done, a sentence each. Raises ColocError."""


class SliceTraces:
    """Files of our slices, and bounds that hold until the next start of the machine."""

    def __init__(self, root: Path, *, run: Run | None = None) -> None:
        """`run`: whom to order systemd by; without it the real one, where it runs and the root is its own."""
        self.unseen: list[str] = []
        self._root = root
        self._run = run or (_run if root == Path("/") and Path("/run/systemd/system").is_dir() else None)

    def find(self) -> Iterator[Trace]:
        """See Source."""
        for path in found_files(self._root):
            what = "a unit starts in its project's slice" if path.parent.suffix == ".d" else "a slice of ours"
            undo = f"rm {shlex.quote(str(self._root / path))}; systemctl daemon-reload"
            yield Trace(str(self._root / path), what, undo)
        for path in runtime_folders(self._root):
            name = path.name.removesuffix(".d")
            undo = f"rm -r {shlex.quote(str(self._root / path))}; systemctl daemon-reload"
            yield Trace(str(self._root / path), f"bounds of {name} that hold until the next start", undo)

    def undo_all(self) -> list[str]:
        """See Source."""
        return take_away(self._root, run=self._run)


def undo_all(sources: Sequence[Source], folder: Path, say: Callable[[str], None]) -> bool:
    """Everything, place by place; one that cannot be undone does not stop the others. True when nothing is left.

    What was held is forgotten only when every place was cleared.
    """
    whole = True
    for source in sources:
        try:
            for sentence in source.undo_all():
                say(sentence)
            left = list(source.find())
        except ColocError as error:
            say(f"! {error.sentence()}")
            whole = False
            continue
        for sentence in source.unseen:  # a server that is down: it holds nobody now
            say(f"! {sentence}")
        for trace in left:
            say(f"! still there: {trace.place} ({trace.what}); by hand: {trace.undo}")
        whole = whole and not left
    if whole:
        (folder / HELD).unlink(missing_ok=True)
    return whole
