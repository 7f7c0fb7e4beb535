"""Two pipes for programs: one holds a secret, the other ends in a function of ours. Nothing touches a disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coloc.secrets import Secret


@contextmanager
def secret_pipe(secret: Secret) -> Iterator[int]:
    """The reading end of a pipe that holds the secret; it fits a pipe's buffer (64 KiB)."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as file:
            file.write(secret.reveal().encode()[:32_768])
        yield reading
    finally:
        os.close(reading)


@contextmanager
def pipe_to(feed: Callable[[bytes], object]) -> Iterator[Path]:
    """A path that a program may write to while `feed` receives it here; `feed`'s exception is raised here too.

    When `feed` fails the pipe is closed, so that the program ends by itself instead of writing on for nobody.
    """
    reading, writing = os.pipe()
    problems: list[BaseException] = []

    def pump() -> None:
        with os.fdopen(reading, "rb", buffering=0) as file:
            try:
                while piece := file.read(1024 * 1024):
                    feed(piece)
            except Exception as error:  # noqa: BLE001 - it is raised again in the caller's thread
                problems.append(error)

    thread = threading.Thread(target=pump, name="pipe-to", daemon=True)
    thread.start()
    try:
        yield Path(f"/proc/self/fd/{writing}")
    except BaseException as error:
        _end(thread, writing)
        if problems and isinstance(error, Exception):
            raise problems[0] from None
        raise
    _end(thread, writing)
    if problems:
        raise problems[0]


def _end(thread: threading.Thread, writing: int) -> None:
    with suppress(OSError):
        os.close(writing)
    thread.join()
