"""Hears from systemd, over the system bus, that a unit changed: a few messages of D-Bus, and no word of what changed.

Whoever listens looks for itself (`coloc.services`); where there is no bus, looking now and then is all there is. Of the
D-Bus specification ("Message Protocol", "Authentication Protocol") this speaks what four calls need, and of what it
hears it reads the lengths and the path.
"""

from __future__ import annotations

import logging
import os
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)
BUS = Path("/run/dbus/system_bus_socket")
_SYSTEMD = "org.freedesktop.systemd1"
_DBUS = "org.freedesktop.DBus"
_RULE = (
    f"type='signal',sender='{_SYSTEMD}',interface='{_DBUS}.Properties',member='PropertiesChanged',"
    f"path_namespace='/org/freedesktop/systemd1/unit',arg0='{_SYSTEMD}.Unit'"
)
_PATH = re.compile(rb"/org/freedesktop/systemd1/unit/([A-Za-z0-9_]+)\0")
_ESCAPED = re.compile(r"_([0-9a-f]{2})")
_HEADER = struct.Struct("<4BIII")
_MOST_BYTES = 1 << 20
_ERROR = 3  # the kind of a message
_ANSWER_SECONDS = 5.0
_GATHER_SECONDS = 0.1  # one change of a unit is several signals
_PAUSE_SECONDS = 1.0  # however much changes, we are heard once a second
_AGAIN_SECONDS = 60.0


class UnitSignals:
    """A thread that calls `on_change` with the names of units that changed, for as long as it lives."""

    def __init__(self, on_change: Callable[[frozenset[str]], None], *, bus: Path = BUS) -> None:
        """`on_change` is called in that thread, once a second at most."""
        self._on_change, self._bus = on_change, bus
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._live, name="coloc-units", daemon=True)
        self.listens = threading.Event()  # set while signals are heard

    def start(self) -> None:
        """Begin to listen; returns at once."""
        self._thread.start()

    def stop(self, *, timeout: float = 2.0) -> None:
        """End within a second or so."""
        self._stopped.set()
        self._thread.join(timeout)

    def _live(self) -> None:
        while not self._stopped.is_set():
            try:
                with subscribe(self._bus) as bus:
                    self.listens.set()
                    self._listen(bus)
            except (OSError, ValueError) as error:
                logger.debug("no signals of units", extra={"why": str(error)})
            self.listens.clear()
            self._stopped.wait(_AGAIN_SECONDS)

    def _listen(self, bus: Bus) -> None:
        while not self._stopped.is_set():
            names = bus.changed(_PAUSE_SECONDS)
            if not names:
                continue
            gathered, end = set(names), time.monotonic() + _GATHER_SECONDS
            while (left := end - time.monotonic()) > 0:
                gathered |= bus.changed(left)
            self._on_change(frozenset(gathered))
            self._stopped.wait(_PAUSE_SECONDS)


class Bus:
    """An open connection that is subscribed. Raises OSError or ValueError when the bus goes away or talks nonsense."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._heard = connection, b""

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def changed(self, seconds: float) -> set[str]:
        """The units that the next messages name, all that are there; the empty set when none comes in time."""
        found: set[str] = set()
        if self._receive(seconds):
            while (message := self._next()) is not None:
                match = _PATH.search(message)
                if match is not None:
                    found.add(unescaped(match[1].decode("ascii")))
        return found

    def ask(self, serial: int, path: str, interface: str, member: str, destination: str, *text: str) -> None:
        """Call a method, and wait for its answer. Raises OSError when it is an error, or does not come."""
        self._connection.sendall(call(serial, path, interface, member, destination, *text))
        deadline = time.monotonic() + _ANSWER_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self._receive(left)
            while (message := self._next()) is not None:
                # The serial that an answer is to stands in field 5 of its header, as an aligned number.
                if b"\5\1u\0" + struct.pack("<I", serial) in message:
                    if message[1] == _ERROR:
                        raise OSError(f"the bus refuses {member}")
                    return
        raise TimeoutError(f"the bus does not answer {member}")

    def _receive(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._connection], [], [], seconds)
        if not readable:
            return False
        data = self._connection.recv(65_536)
        if not data:
            raise OSError("the bus has gone")
        self._heard += data
        return True

    def _next(self) -> bytes | None:
        """The header of the next whole message, which is taken out of what was heard."""
        if len(self._heard) < _HEADER.size:
            return None
        order, _, _, _, body, _, fields = _HEADER.unpack_from(self._heard)
        head = _HEADER.size + fields + -fields % 8
        if order != ord("l") or head + body > _MOST_BYTES:
            raise ValueError("the bus says what we do not understand")
        if len(self._heard) < head + body:
            return None
        message, self._heard = self._heard[:head], self._heard[head + body :]
        return message


def subscribe(path: Path = BUS) -> Bus:
    """Connect, and ask systemd for the changes of its units. Raises OSError where there is no bus or no systemd."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(os.fspath(path))
        connection.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        if not connection.recv(1024).startswith(b"OK "):
            raise OSError("the bus does not let us in")
        connection.sendall(b"BEGIN\r\n")
        bus = Bus(connection)
        bus.ask(1, "/org/freedesktop/DBus", _DBUS, "Hello", _DBUS)
        bus.ask(2, "/org/freedesktop/DBus", _DBUS, "AddMatch", _DBUS, _RULE)
        bus.ask(3, "/org/freedesktop/systemd1", f"{_SYSTEMD}.Manager", "Subscribe", _SYSTEMD)
    except BaseException:
        with suppress(OSError):
            connection.close()
        raise
    return bus


def call(serial: int, path: str, interface: str, member: str, destination: str, *text: str) -> bytes:
    """A method call with one text, or without any, in the order of little ends."""
    body = _string(text[0]) if text else b""
    fields = b""
    named = ((1, b"o", path), (2, b"s", interface), (3, b"s", member), (6, b"s", destination))
    for code, kind, value in named:
        fields += bytes(-len(fields) % 8) + bytes([code, 1]) + kind + b"\0" + _string(value)
    if text:
        fields += bytes(-len(fields) % 8) + b"\x08\x01g\x00\x01s\x00"
    head = _HEADER.pack(ord("l"), 1, 0, 1, len(body), serial, len(fields))
    return head + fields + bytes(-len(fields) % 8) + body


def unescaped(name: str) -> str:
    """The unit that a path names: `blog_2eservice` is `blog.service` (sd_bus_path_encode(3))."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), name)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data + b"\0"
