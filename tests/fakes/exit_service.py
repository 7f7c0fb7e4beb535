"""The service coloc-agent-exits beside a test: in a thread with a kernel of the test's, or as a program."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from collectors.exits.book import Book
from collectors.exits.service import Service, Teller
from collectors.exits.storm import Limits

FAMILY = 31
ROOT = Path(__file__).parents[2]


def stats(
    *,
    pid: int = 7,
    parent: int = 5,
    uid: int = 901,
    user: int = 30_000,
    system: int = 10_000,
    virtual_ns: int = 40_000_000,
    wall: int = 50_000,
    last: bool = True,
    version: int = 13,
    size: int = 416,
) -> bytes:
    """A struct taskstats as linux/taskstats.h lays it out; times in microseconds."""
    data = bytearray(size)
    struct.pack_into("=H2xIBB", data, 0, version, 0, 0x20 if last else 0, 0)
    struct.pack_into("=Q", data, 72, virtual_ns)
    data[80:87] = b"secret\0"  # the command's name, which must go nowhere
    struct.pack_into("=4I", data, 120, uid, uid, pid, parent)
    struct.pack_into("=2Q", data, 152, user, system)
    struct.pack_into("=I4xQ", data, 368, pid, wall)
    return bytes(data)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def datagram(task: bytes, whole: bytes | None = None, *, family: int = FAMILY) -> bytes:
    """What the kernel sends for a thread that ended; `whole` for the last one of several."""
    content = attribute(4, attribute(1, b"\7\0\0\0") + attribute(3, task))
    if whole is not None:
        content += attribute(5, attribute(2, b"\7\0\0\0") + attribute(3, whole))
    return struct.pack("=IHHII", 20 + len(content), family, 0, 0, 0) + b"\2\1\0\0" + content


class FakeKernel:
    """Tells what a test gives it, through a real socket; `overrun` loses some first, as a full buffer does."""

    family = FAMILY

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._here.setblocking(False)
        self._lost, self._dropped = threading.Event(), 0

    def tell(self, data: bytes) -> None:
        self._there.send(data)

    def overrun(self, drops: int) -> None:
        self._dropped += drops
        self._lost.set()
        self._there.send(b"")

    def fileno(self) -> int:
        return self._here.fileno()

    def read(self) -> bytes | None:
        if self._lost.is_set():
            self._lost.clear()
            raise OSError(105, "No buffer space available")
        try:
            return self._here.recv(65_536)
        except BlockingIOError:
            return None

    def drops(self) -> int:
        return self._dropped

    def close(self) -> None:
        self._here.close()
        self._there.close()


@contextmanager
def serving(
    path: Path,
    open_kernel: Callable[[], Teller],
    said: list[str],
    *,
    limits: Limits | None = None,
    idle_seconds: float = 900.0,
    client_seconds: float = 60.0,
    rest_seconds: float = 0.1,
) -> Iterator[threading.Thread]:
    """The service in a thread, on a real socket at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(4)
        book = Book(os.urandom(8).hex())
        service = Service(
            listener,
            open_kernel,
            book,
            said.append,
            limits=limits,
            idle_seconds=idle_seconds,
            client_seconds=client_seconds,
            rest_seconds=rest_seconds,
        )
        thread = threading.Thread(target=service.run)
        thread.start()
        try:
            yield thread
        finally:
            service.stop()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:  # so that it looks up at once
                caller.connect(str(path))
                thread.join(30)


@contextmanager
def program(place: Path | socket.socket) -> Iterator[subprocess.Popen[str]]:
    """The service as its own program, hearing the real kernel: with a socket of its own, or as systemd passes one."""
    command = [sys.executable, "-m", "collectors.exits", str(place)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    passed: tuple[int, ...] = ()
    if isinstance(place, socket.socket):
        # As systemd does: the socket is descriptor 3 of the program, which finds its own pid in LISTEN_PID.
        script = f'exec 3<&{place.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" -m collectors.exits'
        command, passed = ["bash", "-c", script, sys.executable], (place.fileno(),)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env, pass_fds=passed)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)
