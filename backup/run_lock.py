"""One backup, prune or check of repositories at a time on this machine: a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from coloc.errors import ColocError, StateError
from coloc.times import iso


@contextmanager
def run_lock(folder: Path, what: str, now: datetime) -> Iterator[None]:
    """Hold the lock of `folder` (paths.journal) during the block. Raises ColocError naming who holds it."""
    path = folder / "backup.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror}", hint="run it as root; is the disk full?"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _words(descriptor)
            raise ColocError(
                f"a backup is at work already: {holder}", hint="wait for its end, then try again"
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{what}, process {os.getpid()}, since {iso(now)}\n".encode(), 0)
        except OSError:
            pass  # the disk is full: the lock holds all the same, and only its words are missing
        yield
    finally:
        os.close(descriptor)


def run_lock_holder(folder: Path) -> str:
    """Who holds the lock of `folder` now; "" when nobody does, or nobody can say."""
    try:
        descriptor = os.open(folder / "backup.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _words(descriptor)
    finally:
        os.close(descriptor)
    return ""


def _words(descriptor: int) -> str:
    return os.read(descriptor, 200).decode("utf-8", "replace").strip() or "another process"
