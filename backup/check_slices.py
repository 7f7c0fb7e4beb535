"""`borg check` in slices that go on where the last one stopped: the repository first, then its archives in turns.

Rules. 1. Nothing is ever repaired. 2. The repository is read by Borg on the host itself, which remembers how far it
came; archives are taken set by set, in the order of their names. 3. What was found stays told until the same was found
good: the repository by a whole clean turn, an archive by checking it again. 4. A turn is complete when both parts were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from backup.borg import Repository
from backup.borg_errors import NOTHING_LEARNT
from backup.names import parse_archive_name
from coloc.errors import ColocError

_LEAST_SECONDS = 5.0
REPOSITORY, ARCHIVES = "repository", "archives"


@dataclass(frozen=True, slots=True)
class CheckTurn:
    """Where a host's turn stands. after: the last set checked; failure: what is known to be bad; clean: so far."""

    phase: str = REPOSITORY
    after: str = ""
    failure: str = ""
    clean: bool = True


def sets_after(names: Iterable[str], coloc: str, after: str) -> list[str]:
    """The sets that are still to be checked in this turn, in their order. Pure; foreign archives are not ours."""
    parsed = (parse_archive_name(name) for name in names)
    found = {f"{each.coloc}.{each.app}.{each.run}" for each in parsed if each is not None and each.coloc == coloc}
    return sorted(name for name in found if name > after)


def after_repository(turn: CheckTurn, *, finished: bool, failure: str) -> CheckTurn:
    """The turn after a slice of the repository. Pure."""
    turn = replace(turn, failure=failure or turn.failure, clean=turn.clean and not failure)
    if not finished:
        return turn
    if turn.clean:
        return CheckTurn(ARCHIVES)
    return replace(turn, clean=True)  # once more, from its beginning: it must be clean


def slice_of(
    repository: Repository,
    turn: CheckTurn,
    names: Iterable[str],
    *,
    coloc: str,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[CheckTurn, bool]:
    """Check for about so long. Returns where it stands then, and whether a turn was completed.

    Raises BorgError when nothing was learnt.
    """
    end = clock() + seconds
    if turn.phase == REPOSITORY:
        finished, failure = _repository(repository, seconds)
        turn = after_repository(turn, finished=finished, failure=failure)
    if turn.phase == REPOSITORY:
        return turn, False
    for name in sets_after(names, coloc, turn.after):
        left = end - clock()
        if left < _LEAST_SECONDS:
            return turn, False
        try:
            repository.check(only="archives", glob=f"{name}.*", timeout=max(left, 600.0))
        except NOTHING_LEARNT:
            raise
        except ColocError as error:
            return replace(turn, failure=error.sentence()), False
        turn = replace(turn, after=name, failure="")
    return CheckTurn(), True


def _repository(repository: Repository, seconds: float) -> tuple[bool, str]:
    try:
        said = repository.check(only="repository", max_seconds=max(1, int(seconds)), timeout=seconds + 3600.0)
    except NOTHING_LEARNT:
        raise
    except ColocError as error:
        return True, error.sentence()  # from its beginning again
    return not any("finished partial segment check" in text.lower() for text in said), ""
