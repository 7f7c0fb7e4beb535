"""The workers of php-fpm's pools, counted by the title and the account of the processes. Reads no other title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from collectors.cgroup_tree import parse_pids, read_small, unit_folders
from collectors.procfs import ProcFiles

_WORKER, _MASTER = b"php-fpm: pool ", b"php-fpm: master process"
_PROGRAM = b"php-fpm"


@dataclass(frozen=True, slots=True)
class PhpWorkers:
    """`workers`: how many by (pool, uid). Nothing is known of workers when no master is seen."""

    workers: Counter[tuple[str, int]] = field(default_factory=Counter)
    masters: int = 0

    def of(self, pool: str, uid: int | None) -> int:
        """The workers of a pool; of any account when its own is not known."""
        return sum(count for (name, owner), count in self.workers.items() if name == pool and uid in (None, owner))


def count_workers(files: ProcFiles, pids: Iterable[int], owner: Callable[[int], int]) -> PhpWorkers:
    """Look at these processes; one that is gone or hidden is none."""
    workers: Counter[tuple[str, int]] = Counter()
    masters = 0
    for pid in pids:
        try:
            if not _name(files.read(pid, "comm")).startswith(_PROGRAM):
                continue
            title = files.read(pid, "cmdline")
            uid = owner(pid)
        except OSError:
            continue
        if title.startswith(_MASTER) and uid == 0:
            masters += 1
        elif pool := parse_title(title):
            workers[pool, uid] += 1
    return PhpWorkers(workers, masters)


def parse_title(title: bytes) -> str | None:
    """The pool that a worker's title names; None for any other process."""
    if not title.startswith(_WORKER):
        return None
    return title[len(_WORKER) :].split(b"\0", 1)[0].strip().decode("utf-8", "replace") or None


def php_pids(cgroups: Path, files: ProcFiles) -> list[int]:
    """The processes of php-fpm's services; all processes where the kernel keeps no groups."""
    folders = unit_folders(cgroups)
    if not folders:
        return files.pids()
    services = [folder for unit, folder in folders.items() if unit.startswith("php") and unit.endswith("-fpm.service")]
    return [pid for folder in services for pid in parse_pids(read_small(folder, "cgroup.procs"))]


def _name(comm: bytes) -> bytes:
    return comm.split(b"\n", 1)[0]
