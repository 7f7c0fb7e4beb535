"""Private folders beside the targets of a restore, on their filesystems: what is new waits there, what is old stays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from backup.exchange import Exchange, held, identity_of, rename
from backup.restore_journal import RestoreJournal
from backup.restore_prepare import Place
from coloc.errors import ColocError


class Staging:
    """The folders of one restore. Each is in the journal before it is made."""

    def __init__(self, journal: RestoreJournal) -> None:
        self._journal = journal
        self._stages: dict[Path, Path] = {}

    @staticmethod
    def by_folder(places: Sequence[Place]) -> Iterator[tuple[Path, list[Place]]]:
        """The places of each folder that staging is made in."""
        for beside in dict.fromkeys(place.beside for place in places):
            yield beside, [place for place in places if place.beside == beside]

    def make(self, beside: Path) -> Path:
        """The private folder in `beside`, made on first use. Raises OSError."""
        if beside not in self._stages:
            stage = beside / f".coloc-restore-{self._journal.id}"
            self._journal.step("stage", folder=str(stage))
            beside.mkdir(parents=True, exist_ok=True)
            with held(beside) as folder:
                os.mkdir(stage.name, 0o700, dir_fd=folder)
            self._stages[beside] = stage
        return self._stages[beside]

    def of(self, place: Place) -> Path:
        """Where the new one of a place waits."""
        return self._stages[place.beside] / place.target.member

    def within(self, place: Place, path: Path) -> Path:
        """Where a file of the place waits in what was extracted; `path` is where it will be.

        What comes out of an archive may hold links; nothing is written through them. Raises ColocError.
        """
        top = self.of(place)
        here = top / path.relative_to(place.path)
        if any(each.is_symlink() for each in (here, *here.parents) if each.is_relative_to(top)):
            raise ColocError(
                f"{path} would be written through a link of the archive", hint="restore with --to, and look at it"
            )
        return here

    def exchange(self, new: Path, target: Path, *, sqlite: bool = False) -> None:
        """Let `new` take the place of `target`. sqlite: a file with others beside it, see restore_undo."""
        identity = identity_of(new)
        if identity is None:
            raise ColocError(f"{new} vanished while it was restored", hint="who else works there? try again")
        exchange = Exchange(new, target, identity)
        self._journal.step(
            "exchange",
            new=str(new),
            target=str(target),
            identity=list(identity),
            sqlite=sqlite,
            existed=os.path.lexists(target),
        )
        exchange.do()

    def move(self, source: Path, target: Path) -> None:
        """Rename, in the journal first."""
        self._journal.step("move", **{"from": str(source), "to": str(target)})
        rename(source, target)
