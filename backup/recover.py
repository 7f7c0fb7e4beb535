"""Disaster day, second part: app after app from one backup host, in order, and what is left to do by hand.

YunoHost's own parts come first: the apps need their users and domains. Each is a restore of its own, with its journal.
One that fails stops no other; run again, it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backup.names import OWN, SYSTEM
from backup.restore import Restored
from backup.restore_journal import journals
from backup.restore_plan import Candidate
from backup.restore_prepare import Prepared
from coloc.config.whole import Config
from coloc.errors import ColocError, StateError
from coloc.facts import write_whole

Done = tuple[Prepared, Restored]
Bring = Callable[[Candidate], Done | None]  # None: YunoHost did it


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one app. failure: one sentence, "" when it is back; already: by a call before this one."""

    app: str
    failure: str = ""
    already: bool = False
    done: Done | None = None  # what the restore did, unless YunoHost did it


def newest_of_each(candidates: Sequence[Candidate], *, now: datetime) -> list[Candidate]:
    """The newest whole set of each app, YunoHost's own parts first; those from the future (a clock was wrong) only when
    there is no other."""
    chosen: dict[str, Candidate] = {}
    for each in sorted(candidates, key=lambda each: (each.set.at <= now, each.set.at)):
        if each.set.complete and each.set.app != OWN:
            chosen[each.set.app] = each
    return [chosen[app] for app in sorted(chosen, key=lambda app: (app != SYSTEM, app))]


def recover_apps(
    config: Config, chosen: Sequence[Candidate], bring: Bring, *, on_app: Callable[[str], None]
) -> list[Recovered]:
    """Bring back one after the other. Never raises ColocError."""
    book = _Book(config.paths.journal / "restores" / "recovered")
    done = {(journal.app, journal.run) for journal in journals(config.paths.journal) if journal.state == "done"}
    results = []
    for each in chosen:
        if (each.set.app, each.set.run) in done or each in book:
            results.append(Recovered(each.set.app, already=True))
            continue
        on_app(each.set.app)
        try:
            what = bring(each)
            book.note(each)
            results.append(Recovered(each.set.app, done=what))
        except ColocError as error:
            results.append(Recovered(each.set.app, error.sentence()))
    return results


class _Book:
    """What is back, a line each, "app run": a restore by YunoHost leaves no other trace."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __contains__(self, candidate: Candidate) -> bool:
        return _line(candidate) in self._lines()

    def note(self, candidate: Candidate) -> None:
        """Raises StateError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._path, "".join(f"{line}\n" for line in [*self._lines(), _line(candidate)]))
        except OSError as error:
            raise StateError(
                f"{candidate.set.app} is back, but {self._path} cannot be written: {error.strerror}",
                hint="free some space",
            ) from error

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text().splitlines()
        except OSError:
            return []


def _line(candidate: Candidate) -> str:
    return f"{candidate.set.app} {candidate.set.run}"
