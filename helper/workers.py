"""Moves php workers into their project's slice while it is held: all pools run in one service, told apart by uid.

A temporary throttle, no restart: a worker born between two looks runs outside until the next. Nobody else is moved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from coloc.agreed import Target
from coloc.command import Run, run
from helper.slices import CGROUPS

_SECONDS = 15.0
_SERVICE = re.compile(r"php[0-9.]+-fpm\.service")
_MOST = 500

Owner = Callable[[int], int | None]


def uid_of(pid: int) -> int | None:
    """The user that a process runs under; None for one that has ended."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def move_workers(target: Target, *, run: Run = run, cgroups: Path = CGROUPS, owner: Owner = uid_of) -> str:
    """Those that run outside, into a scope of the slice; what was done, "" when there was nothing to do."""
    pids = list(outside_workers(target, cgroups, owner))[:_MOST]
    if not pids:
        return ""
    scope = f"{target.slice.removesuffix('.slice')}-php{pids[0]}.scope"
    argv = ["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"]
    argv += ["org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail", "3"]
    argv += ["PIDs", "au", str(len(pids)), *map(str, pids), "Slice", "s", target.slice]
    argv += ["CollectMode", "s", "inactive-or-failed", "0"]
    run(argv, timeout=_SECONDS)
    return f"moved {len(pids)} php workers of {target.project} into {target.slice}"


def outside_workers(target: Target, cgroups: Path, owner: Owner) -> Iterator[int]:
    """The processes of the services of php-fpm that run under a user of the target. The masters run as root."""
    for folder in sorted((cgroups / "system.slice").glob("php*-fpm.service")):
        if not _SERVICE.fullmatch(folder.name):
            continue
        try:
            words = (folder / "cgroup.procs").read_text().split()
        except OSError:
            continue
        for word in words:
            if word.isdigit() and owner(int(word)) in target.uids:
                yield int(word)
