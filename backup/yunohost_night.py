"""Brings the hosts of a run together: one `yunohost backup create` an app, whose files go to all of them at once.

Rules. A host that wants an app waits until every other host at work wants one too (or for `gather_seconds`: a host
that sleeps holds nobody up). Then YunoHost is called for the app that comes first, and the hosts that want it get the
folder.
The folder stays until each of them is done; then YunoHost's own answer is read, and only then an app counts as saved.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backup.plan import AppPlan
from backup.yunohost_door import Visit, open_door
from coloc.errors import ColocError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Round:
    """One call: who takes part, what was laid out, how it ended."""

    plan: AppPlan
    name: str
    hosts: set[str]
    ready: AppPlan | None = None
    failed: dict[str, str] = field(default_factory=dict)
    error: ColocError | None = None
    over: bool = False


class Gathering:
    """The hosts of one run. call: YunoHost for an app; look: what it laid out in a folder."""

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        journal: Path,
        name_of: Callable[[str], str],
        call: Callable[[AppPlan, str], None],
        look: Callable[[AppPlan, Path], AppPlan],
        gather_seconds: float = 120.0,
    ) -> None:
        self._at_work, self._wishes = set(hosts), dict[str, AppPlan]()
        self._since: float | None = None
        self._journal, self._name_of, self._call, self._look = journal, name_of, call, look
        self._gather_seconds = gather_seconds
        self._round: _Round | None = None
        self._changed = threading.Condition()

    def leave(self, host: str) -> None:
        """This host wants nothing more in this run."""
        with self._changed:
            self._at_work.discard(host)
            self._changed.notify_all()

    @contextmanager
    def laid_out(self, host: str, plan: AppPlan) -> Iterator[AppPlan]:
        """The app as YunoHost laid it out, for the block. Raises ColocError, at the end too when YunoHost failed."""
        round_ = self._take_part(host, plan)
        why = "it was not sent"
        try:
            if round_.ready is None:
                raise round_.error or ColocError(
                    f"{plan.app.id}: YunoHost ended without calling our method",
                    hint="are its hooks there? coloc-agent backup hooks; look at yunohost log list",
                )
            yield round_.ready
            why = ""
        finally:
            with self._changed:
                round_.hosts.discard(host)
                if why:
                    round_.failed[host] = why
                self._changed.notify_all()
                self._changed.wait_for(lambda: round_.over)
        if round_.error:
            raise round_.error

    def _take_part(self, host: str, plan: AppPlan) -> _Round:
        with self._changed:
            self._wishes[host] = plan
            self._since = self._since or time.monotonic()
            self._changed.notify_all()
            while host in self._wishes:
                if self._may_begin():
                    self._begin()
                    continue
                self._changed.wait(timeout=1.0)
            mine = self._round
            assert mine is not None
            self._changed.wait_for(lambda: mine.ready is not None or mine.over)
            return mine

    def _may_begin(self) -> bool:
        if self._round is not None and not (self._round.over and not self._round.hosts):
            return False
        late = self._since is not None and time.monotonic() - self._since >= self._gather_seconds
        return late or self._at_work <= self._wishes.keys()

    def _begin(self) -> None:
        plan = min(self._wishes.values(), key=lambda each: each.app.id)
        hosts = {host for host, wish in self._wishes.items() if wish.app.id == plan.app.id}
        for host in hosts:
            del self._wishes[host]
        self._since = time.monotonic() if self._wishes else None
        self._round = _Round(plan, self._name_of(plan.app.id), hosts)
        threading.Thread(target=self._go, args=(self._round,), name=f"yunohost-{plan.app.id}", daemon=True).start()
        self._changed.notify_all()

    def _go(self, round_: _Round) -> None:
        """One call of YunoHost, in a thread of its own."""
        try:
            with open_door(self._journal, lambda visit: self._answer(round_, visit)):
                self._call(round_.plan, round_.name)
        except ColocError as error:
            round_.error = round_.error or error
        except BaseException as error:
            round_.error = ColocError(f"{round_.plan.app.id}: {error}", hint="this is a fault of coloc-agent")
            raise
        finally:
            with self._changed:
                round_.over = True
                self._changed.notify_all()

    def _answer(self, round_: _Round, visit: Visit) -> str:
        """The hook came: hand the folder to the hosts, wait for them, and say how it went."""
        if visit.name != round_.name or visit.action != "backup" or round_.over or round_.ready is not None:
            return "this run did not ask for that backup"
        try:
            ready = self._look(round_.plan, visit.folder)
        except ColocError as error:
            round_.error = error
            return error.sentence()
        except OSError as error:
            round_.error = ColocError(f"{round_.plan.app.id}: {error}", hint="look at yunohost log list")
            return str(round_.error)
        with self._changed:
            wanted = set(round_.hosts)
            round_.ready = ready
            self._changed.notify_all()
            self._changed.wait_for(lambda: not round_.hosts)
        return "no host has it" if wanted and wanted <= round_.failed.keys() else ""
