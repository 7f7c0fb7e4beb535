"""Only one daemon works on a state: a lock beside state.db, which the kernel lets go of however the daemon ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coloc.errors import StateError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of the state in `folder` during the block. Raises StateError when another daemon holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{folder} cannot be written: {error.strerror}", hint="check its owner and its disk's free space"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StateError(
            f"another coloc-agent works on {folder} already", hint="stop it first: systemctl stop coloc-agent"
        ) from error
    finally:
        os.close(descriptor)
