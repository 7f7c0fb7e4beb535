"""Asks the kernel, over generic netlink, to be told of every process that ends. Needs CAP_NET_ADMIN.

Only in the first namespaces of the machine: the kernel refuses other pid and user namespaces, and a network namespace
of its own would hear nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path

from collectors.exits.taskstats import attributes

_GENERIC = 16  # NETLINK_GENERIC
_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2
_TASKSTATS_GET, _REGISTER = 1, 3
_ERROR = 2  # NLMSG_ERROR; also says that all is well
_REQUEST, _REQUEST_AND_ACK = 1, 5
_SO_RCVBUFFORCE, _SO_MEMINFO, _DROPS = 33, 55, 8
_BUFFER_BYTES = 4 * 1024 * 1024  # some 1 500 exits that wait for us
_DATAGRAM_BYTES = 65_536
_ANSWER_SECONDS = 5.0
_HEADER = struct.Struct("=IHHII")
_CPUS = Path("/sys/devices/system/cpu/possible")


class Kernel:
    """A socket on which the kernel tells. Raises OSError when it will not."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _GENERIC)
        try:
            self._socket.bind((0, 0))
            self._socket.settimeout(_ANSWER_SECONDS)
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
            self.family = family_in(self._ask(_CONTROL, _GET_FAMILY, attribute(_FAMILY_NAME, b"TASKSTATS\0")))
            cpus = _CPUS.read_text().strip().encode()[:1000] + b"\0"
            self._ask(self.family, _TASKSTATS_GET, attribute(_REGISTER, cpus), flags=_REQUEST_AND_ACK)
            self._socket.setblocking(False)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """The next datagram; None when there is none. Raises OSError ENOBUFS when some were lost."""
        try:
            data, (port, _) = self._socket.recvfrom(_DATAGRAM_BYTES)
        except BlockingIOError:
            return None
        return data if port == 0 else b""  # only the kernel is believed

    def drops(self) -> int:
        """How many datagrams did not fit into the buffer since it was opened; 0 where the kernel does not say."""
        try:
            numbers = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
            return int(struct.unpack_from("=I", numbers, 4 * _DROPS)[0])
        except (OSError, struct.error):
            return 0

    def close(self) -> None:
        """Hear no more: the kernel forgets a closed listener when it next wants to tell it something."""
        self._socket.close()

    def _ask(self, family: int, command: int, content: bytes, *, flags: int = _REQUEST) -> bytes:
        """Ask one thing and return the answer's content. Raises OSError with what the kernel says against it."""
        self._socket.sendto(request(family, command, content, flags=flags), (0, 0))
        while True:  # exits may come before the answer; the socket's timeout ends a silence
            data = self._socket.recv(_DATAGRAM_BYTES)
            if len(data) < _HEADER.size + 4:
                continue
            kind = _HEADER.unpack_from(data)[1]
            if kind == _ERROR:
                code = struct.unpack_from("=i", data, _HEADER.size)[0]
                if code:
                    raise OSError(-code, os.strerror(-code))
                return b""
            if kind == family:
                return data[_HEADER.size + 4 :]


def request(family: int, command: int, content: bytes, *, flags: int = _REQUEST) -> bytes:
    """A message to the kernel."""
    return _HEADER.pack(_HEADER.size + 4 + len(content), family, flags, 1, 0) + bytes([command, 1, 0, 0]) + content


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute of a message, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def family_in(content: bytes) -> int:
    """The number that the kernel gave TASKSTATS at this boot. Raises OSError when it gave none."""
    value = dict(attributes(content)).get(_FAMILY_ID, b"")
    if len(value) != struct.calcsize("=H"):
        raise OSError("the kernel does not know TASKSTATS")
    return int(struct.unpack("=H", value)[0])
