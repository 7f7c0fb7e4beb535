"""What a night does beside saving: remembers itself, sees surprises, forgets, prunes, proves the escrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from backup.borg import Repository
from backup.borg_output import Listing
from backup.escrow_facts import prove_when_due
from backup.forgetting import Forgetting, forget_on, forgettings
from backup.journal import Journal
from backup.leaving import notice_left
from backup.night import Recorder
from backup.prune import prune_host
from backup.surprises import refuse_surprises
from coloc.config.whole import Config
from coloc.errors import ColocError, StateError


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """For one run. `here`: what is on the server now, the system's own parts too. Failures are recorded, not raised."""

    config: Config
    journal: Journal
    recorder: Recorder
    here: frozenset[str]
    clock: Callable[[], datetime]

    def begin(self, hosts: Sequence[str]) -> None:
        """A whole run for these hosts begins, and these apps are here."""
        try:
            for name in hosts:
                self.journal.remember_night(name, self.clock())
            notice_left(self.journal, self.here, self.clock())
        except StateError as error:  # a full disk: what can be saved is saved all the same
            self.recorder.problem(error.sentence())

    def surprise(self, host: str, before: Listing) -> str:
        """Why nothing may be removed there until a person explains it; backups are added all the same."""
        try:
            refuse_surprises(self.config, self.journal, host, before.archives, self.clock())
        except ColocError as error:
            self.recorder.fact("prune", host=host, ok=False, removed=0, failure=error.sentence())
            self.recorder.problem(error.sentence())
            return error.sentence()
        return ""

    def tidy(self, repository: Repository, names: Sequence[str]) -> int:
        """What follows a night on a host: apps whose people asked to be forgotten, then retention. How many went."""
        if self.config.backup.hosts[repository.host].append_only:
            return 0  # nothing can be freed there with our key
        for what in forgettings(self.journal, host=repository.host):
            if what.done_at is None:
                self._forget(repository, what, names)
        return self._prune(repository, names)

    def look_after_escrow(self) -> None:
        """That nobody holds the keys is told by its own rule; a sheet that does not open makes the night fail."""
        try:
            if why := prove_when_due(self.config, self.journal, self.recorder.spool, self.clock()):
                self.recorder.problem(why)
        except StateError as error:
            self.recorder.problem(error.sentence())

    def _forget(self, repository: Repository, what: Forgetting, names: Sequence[str]) -> None:
        try:
            coloc = self.config.coloc.name
            forget_on(repository, self.journal, what, coloc=coloc, names=names, now=self.clock())
        except ColocError as error:
            self.recorder.problem(f"{what.app} is still to be forgotten: {error.sentence()}")
        else:
            self.recorder.fact("forgotten", app=what.app, host=what.host)

    def _prune(self, repository: Repository, names: Sequence[str]) -> int:
        host = repository.host
        try:
            pruning = prune_host(self.config, repository, self.journal, names=names, apps=self.here, now=self.clock())
        except ColocError as error:
            self.recorder.fact("prune", host=host, ok=False, removed=0, failure=error.sentence())
            self.recorder.problem(f"retention: {error.sentence()}")
            return 0
        removed = len(pruning.removed)
        self.recorder.fact("prune", host=host, ok=True, removed=removed, failure="")
        return removed
