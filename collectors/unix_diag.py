"""How full the queue of each listening unix socket is: the kernel tells (UNIX_DIAG), no busy server has to answer."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _DONE, _ERROR = 20, 3, 2
_REQUEST_AND_DUMP = 0x301
_LISTENING = 1 << 10
_SHOW_NAME, _SHOW_FILE, _SHOW_QUEUE = 0x1, 0x2, 0x10
_NAME, _FILE, _QUEUE = 0, 1, 4
_HEADER, _REQUEST, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBHIIIII"), struct.Struct("=HH")
_MESSAGE_BYTES = 16  # struct unix_diag_msg
_TWO = struct.Struct("=II")
_BUFFER = 64 * 1024
_MOST_ANSWERS = 2_000
_ANY = 0xFFFFFFFF
_RUN = "/var/run/"


@dataclass(frozen=True, slots=True)
class Queue:
    """Connections that wait to be taken, and how many may wait."""

    waiting: int
    most: int


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket: the path it was bound to, the number of its file (the lower 32 bits), its queue."""

    path: str
    inode: int
    queue: Queue


def listening_sockets(*, timeout: float = 2.0) -> list[Listening]:
    """Every listening unix socket of this network namespace. Raises OSError when the kernel does not tell."""
    request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _LISTENING, 0, _SHOW_NAME | _SHOW_FILE | _SHOW_QUEUE, _ANY, _ANY)
    found: list[Listening] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(timeout)
        header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, 1, 0)
        netlink.sendto(header + request, (0, 0))
        for _ in range(_MOST_ANSWERS):
            data, (sender, _groups) = netlink.recvfrom(_BUFFER)
            if sender != 0:
                continue  # only the kernel is asked
            more, done = parse_answer(data)
            found += more
            if done:
                return found
    raise OSError("the list of sockets does not end")


def parse_answer(data: bytes) -> tuple[list[Listening], bool]:
    """The sockets of one answer, and whether it was the last one. Raises OSError for the kernel's refusal."""
    found: list[Listening] = []
    place = 0
    while place + _HEADER.size <= len(data):
        size, kind, _, _, _ = _HEADER.unpack_from(data, place)
        body = data[place + _HEADER.size : place + size]
        if size < _HEADER.size or kind == _DONE:
            return found, True
        if kind == _ERROR:
            code = -int.from_bytes(body[:4], "little", signed=True)
            raise OSError(code, f"the kernel does not tell of sockets: {os.strerror(code) if code > 0 else code}")
        if kind == _SOCK_DIAG_BY_FAMILY:
            listening = _parse_socket(body[_MESSAGE_BYTES:])
            if listening is not None:
                found.append(listening)
        place += (size + 3) & ~3
    return found, False


def _parse_socket(data: bytes) -> Listening | None:
    """The attributes of one socket; None for one without a file or a queue."""
    values: dict[int, bytes] = {}
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, place)
        if size < _ATTRIBUTE.size:
            break
        values[kind] = data[place + _ATTRIBUTE.size : place + size]
        place += (size + 3) & ~3
    name, file, queue = (values.get(kind, b"") for kind in (_NAME, _FILE, _QUEUE))
    if not name.startswith(b"/") or len(file) < _TWO.size or len(queue) < _TWO.size:
        return None
    inode, _ = _TWO.unpack_from(file)
    path = name.split(b"\0", 1)[0].decode("utf-8", "replace")
    return Listening(path, inode, Queue(*_TWO.unpack_from(queue)))


def queues_of(
    paths: Iterable[str], sockets: Iterable[Listening], inode_of: Callable[[str], int | None]
) -> Mapping[str, Queue]:
    """The queues of those paths. A socket of the same name that is not the file there is somebody else's."""
    by_path: dict[str, list[Listening]] = {}
    for listening in sockets:
        by_path.setdefault(_plain(listening.path), []).append(listening)
    found = {}
    for path in paths:
        candidates = by_path.get(_plain(path), ())
        inode = inode_of(path) if candidates else None
        for listening in candidates:
            if inode is not None and listening.inode == inode & _ANY:
                found[path] = listening.queue
    return found


def inode_of(path: str) -> int | None:
    """The number of the file at `path`; None when there is none."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - a plain call
    except (OSError, ValueError):
        return None


def _plain(path: str) -> str:
    """YunoHost's pools say /var/run, which is a link to /run."""
    return f"/run/{path.removeprefix(_RUN)}" if path.startswith(_RUN) else path
