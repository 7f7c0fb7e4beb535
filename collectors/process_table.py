"""The processes of the machine, followed from look to look: who was born, who went on, who is gone, and whose each is.

It adds nothing up: sums are the ledger's and the collector's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from collectors.cpu_ledger import Look, Used
from collectors.machine import MachineFiles, parse_cpu, parse_meminfo
from collectors.ownership import Ownership, unit_of
from collectors.procfs import (
    OpenProcess,
    ProcFiles,
    is_kernel_thread,
    parse_cgroup,
    parse_stat,
    parse_statm,
    parse_swap,
)

_OWNER_EVERY = 4  # looks: a worker changes its user just after its birth, seldom later
_SLEEPER_OWNER_EVERY = 20  # looks: who does nothing does not change its user either
_SLEEPS_AFTER = 2  # looks without any change
_SLEEPER_EVERY = 3  # looks: what one used meanwhile is charged then, to the tick
_OUTSIDE = "/"  # systemd puts nobody there: in v1's trees, who ends is moved there before it is gone
_EVERYBODY = 1  # pid 1: who does not see it does not see other users' processes


@dataclass(slots=True)
class Followed:
    """A process that we follow; `raw` is the hash of its stat at the last look, to skip what did not change."""

    open: OpenProcess
    start: int
    used: Used
    raw: int
    cgroup: str = ""
    uid: int = 0
    looks: int = 0
    unchanged: int = 0  # looks in a row
    changes: int = 0  # looks in all
    threads: int = 1
    anonymous_pages: int = 0
    swap_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """A followed process as others may read it, at any time. `changes` grows when its stat is another."""

    pid: int
    start: int
    parent: int
    app: str | None
    changes: int
    is_pool_master: bool = False  # of php-fpm: it works for its workers only


class ProcessTable:
    """Every process that we may see. `hidden`: other users' processes are out of sight."""

    def __init__(
        self,
        files: ProcFiles,
        machine: MachineFiles,
        *,
        ticks_per_second: int,
        owner: Callable[[int], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._machine, self._clock = files, machine, clock
        self._owner = owner or files.owner
        self._ticks = ticks_per_second
        self._followed: dict[int, Followed] = {}
        self._kernel: set[int] = set()
        self._owned = Ownership({}, {}, frozenset())
        self._last_look: float | None = None
        self._round = 0
        self.unreadable = 0
        self.hidden = False
        self.buried: dict[int, Followed] = {}  # those that the last look found gone

    @property
    def living(self) -> Mapping[int, Followed]:
        """Those of the last look, by pid."""
        return self._followed

    def processes(self) -> Collection[Followed]:
        """Those of the last look."""
        return self._followed.values()

    def known(self) -> list[Known]:
        """The same for another thread."""
        found = []
        for process in list(self._followed.values()):
            used, unit = process.used, unit_of(process.cgroup)
            is_pool_master = process.uid == 0 and unit.startswith("php") and "-fpm" in unit
            found.append(Known(used.pid, process.start, used.parent, used.app, process.changes, is_pool_master))
        return found

    def own(self, owned: Ownership) -> None:
        """The apps have changed: from now on processes belong to these."""
        self._owned = owned
        for process in self._followed.values():
            process.used.app = owned.app_of(process.cgroup, process.uid)

    def close(self) -> None:
        """Close every kept descriptor and forget everybody."""
        for process in self._followed.values():
            self._files.forget(process.open)
        self._followed.clear()

    def look(self) -> Look:
        """Look at everybody once; at those that sleep, every third time."""
        pids = set(self._files.pids())
        self.unreadable = 0
        self.buried = {}
        self._round += 1
        self._kernel &= pids
        swapping = parse_meminfo(self._machine.read("meminfo")).swapped
        stayed: list[tuple[Used, Used]] = []
        due = self._due()
        gone = [self._bury(pid) for pid in self._followed.keys() - pids]
        living = (process for process in due if process.used.pid in pids)
        gone += [self._bury(process.used.pid) for process in living if not self._follow(process, stayed, swapping)]
        met = (self._meet(pid) for pid in sorted(pids - self._followed.keys() - self._kernel))
        born = [process.used for process in met if process is not None]
        self.hidden = _EVERYBODY not in self._followed
        now = self._clock()
        ticks = (now - self._last_look) * self._ticks if self._last_look is not None else 0.0
        self._last_look = now
        return Look(stayed, born, gone, parse_cpu(self._machine.read("stat")).user_and_system, ticks)

    def _due(self) -> list[Followed]:
        """Those to look at now, parents first: who is read alive must not be in a sum of the dead yet.

        Parents always are, also of who just died: what children used is told by them.
        """
        parents = {process.used.parent for process in self._followed.values()}
        turn = -self._round % _SLEEPER_EVERY
        found = [
            process
            for pid, process in self._followed.items()
            if process.unchanged < _SLEEPS_AFTER or pid % _SLEEPER_EVERY == turn or pid in parents
        ]
        return sorted(found, key=lambda process: process.used.pid not in parents)

    def _follow(self, process: Followed, stayed: list[tuple[Used, Used]], swapping: bool) -> bool:
        """Look again at a known process; False when it ended or its pid is another process's now."""
        try:
            data = process.open.stat()
            raw = hash(data)
            if raw == process.raw:
                process.unchanged += 1
            else:
                stat = parse_stat(data)
                if stat is None or stat.start != process.start:
                    return False
                process.raw, process.threads, process.unchanged = raw, stat.threads, 0
                process.changes += 1
                before = process.used
                own, kids = (stat.user, stat.system), (stat.kids_user, stat.kids_system)
                process.used = Used(before.pid, stat.parent, own, kids, before.app)
                if own != before.own or kids != before.kids:
                    stayed.append((before, process.used))
                # Resident pages stand in stat too: while it is the same, so is the file with the details.
                process.anonymous_pages = parse_statm(process.open.memory()) or 0
            self._read_swap(process, swapping)
            process.looks += 1
            every = _SLEEPER_OWNER_EVERY if process.unchanged >= _SLEEPS_AFTER else _OWNER_EVERY
            if process.looks == 1 or (self._round + process.used.pid) % every == 0:
                self._read_owner(process)
        except OSError:
            return False
        return True

    def _meet(self, pid: int) -> Followed | None:
        try:
            opened = self._files.open(pid)
        except (FileNotFoundError, ProcessLookupError):
            return None
        except OSError:
            self.unreadable += 1
            return None
        try:
            data = opened.stat()
            stat = parse_stat(data)
            if stat is None:
                raise OSError(f"the stat of {pid} cannot be read")
            if is_kernel_thread(pid, stat.parent):
                self._kernel.add(pid)
                self._files.forget(opened)
                return None
            own, kids = (stat.user, stat.system), (stat.kids_user, stat.kids_system)
            process = Followed(
                opened, stat.start, Used(pid, stat.parent, own, kids, None), hash(data), threads=stat.threads
            )
            self._read_owner(process)
            process.anonymous_pages = parse_statm(opened.memory()) or 0
        except OSError:
            self._files.forget(opened)
            return None
        self._followed[pid] = process
        return process

    def _read_owner(self, process: Followed) -> None:
        pid = process.used.pid
        process.uid = self._owner(pid)
        try:
            cgroup = sys.intern(parse_cgroup(self._files.read(pid, "cgroup")))  # few, and shared by many
        except PermissionError:
            cgroup = ""
        process.cgroup = self._before_its_end(process) if cgroup == _OUTSIDE else cgroup
        process.used.app = self._owned.app_of(process.cgroup, process.uid)

    def _before_its_end(self, process: Followed) -> str:
        """The cgroup of one that ends just now, which has left it already: where it was seen, or was born."""
        parent = self._followed.get(process.used.parent)
        return process.cgroup or (parent.cgroup if parent else "") or _OUTSIDE

    def _read_swap(self, process: Followed, swapping: bool) -> None:
        # VmSwap stands only in a long file: read it where something is swapped out, and now and then.
        if not swapping:
            process.swap_bytes = 0
        elif (self._round + process.used.pid) % _OWNER_EVERY == 0:
            process.swap_bytes = parse_swap(self._files.read(process.used.pid, "status")) or 0

    def _bury(self, pid: int) -> Used:
        self.buried[pid] = process = self._followed.pop(pid)
        self._files.forget(process.open)
        return process.used
