"""Where YunoHost's hook meets the run that made it come: a socket in root's own folder, one visit at a time.

The hook says which backup is laid out where, and waits for one word; the folder stays as it is until it gets it. If we
die, the hook sees the line cut and fails, and YunoHost tidies up. If YunoHost dies, we see the same.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from coloc.errors import ColocError, StateError

NAME = "yunohost.sock"
_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Visit:
    """What the hook says: its action, the folder, the name that we called for."""

    action: str
    folder: Path
    name: str


Answer = Callable[[Visit], str]  # "" for yes, else why not


@contextmanager
def open_door(journal: Path, answer: Answer) -> Iterator[None]:
    """Answer the hook's visits during the block. Raises StateError when the socket cannot be made."""
    path = journal / NAME
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        _bind(server, path)
    except OSError as error:
        server.close()
        raise StateError(f"{path} cannot be made: {error}", hint="run it as root; is the disk full?") from error
    thread = threading.Thread(target=_serve, args=(server, answer), name="yunohost-door", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        path.unlink(missing_ok=True)
        thread.join(timeout=10)


def visit(path: Path, words: list[str]) -> str:
    """The hook's side: say what is laid out, and wait for the answer. Raises ColocError; "" means yes."""
    action, folder, name = words[:3]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            with _near(path) as near:
                line.connect(near)
            line.sendall(json.dumps({"action": action, "folder": folder, "name": name}).encode() + b"\n")
            told = line.makefile("rb").readline(_MAX)
        except OSError as error:
            raise ColocError(
                "no run of coloc-agent waits for this backup", hint="call it: coloc-agent backup APP"
            ) from error
    if not told.endswith(b"\n"):
        raise ColocError("coloc-agent ended before the backup was sent", hint="run coloc-agent backup again")
    return str(json.loads(told)["why"])


def _serve(server: socket.socket, answer: Answer) -> None:
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return  # closed: the run is over
        with line, suppress(OSError):
            line.settimeout(30)
            visitor = _parse(line.makefile("rb").readline(_MAX))
            line.settimeout(None)
            why = answer(visitor) if visitor else "that is no visit of our hook"
            line.sendall(json.dumps({"why": why}).encode() + b"\n")


def _parse(said: bytes) -> Visit | None:
    try:
        data = json.loads(said)
        found = Visit(str(data["action"]), Path(str(data["folder"])), str(data["name"]))
    except (ValueError, KeyError, TypeError):
        return None
    return found if found.folder.is_absolute() else None


def _bind(server: socket.socket, path: Path) -> None:
    before = os.umask(0o177)
    try:
        with _near(path) as near:
            server.bind(near)
    finally:
        os.umask(before)
    server.listen(4)


@contextmanager
def _near(path: Path) -> Iterator[str]:
    """The path in few letters: a socket's may have 107 at most."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
