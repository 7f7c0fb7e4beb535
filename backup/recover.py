"""Disaster day, second part: app after app from one backup host, in order, and what is left to do by hand.

Each app is a restore of its own, with its journal. One that fails stops no other; run again, it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from backup.names import OWN
from backup.restore import Restored
from backup.restore_journal import journals
from backup.restore_plan import Candidate
from backup.restore_prepare import Prepared
from coloc.config.whole import Config
from coloc.errors import ColocError

Bring = Callable[[Candidate], tuple[Prepared, Restored]]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one app. failure: one sentence, "" when it is back; done: what the restore did."""

    app: str
    failure: str = ""
    done: tuple[Prepared, Restored] | None = None  # None also when it was back already


def newest_of_each(candidates: Sequence[Candidate], *, now: datetime) -> list[Candidate]:
    """The newest whole set of each app; those from the future (a clock was wrong) only when there is no other."""
    chosen: dict[str, Candidate] = {}
    for each in sorted(candidates, key=lambda each: (each.set.at <= now, each.set.at)):
        if each.set.complete and each.set.app != OWN:
            chosen[each.set.app] = each
    return [chosen[app] for app in sorted(chosen)]


def recover_apps(
    config: Config, chosen: Sequence[Candidate], bring: Bring, *, on_app: Callable[[str], None]
) -> list[Recovered]:
    """Bring back one after the other. Never raises ColocError."""
    done = {(journal.app, journal.run) for journal in journals(config.paths.journal) if journal.state == "done"}
    results = []
    for each in chosen:
        if (each.set.app, each.set.run) in done:
            results.append(Recovered(each.set.app))
            continue
        on_app(each.set.app)
        try:
            results.append(Recovered(each.set.app, done=bring(each)))
        except ColocError as error:
            results.append(Recovered(each.set.app, error.sentence()))
    return results
