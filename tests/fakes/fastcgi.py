"""A FastCGI client, just enough to have php-fpm run one script (fastcgi-archives.github.io has the specification)."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_HEADER = struct.Struct(">BBHHBx")
_BEGIN, _END, _PARAMS, _STDIN, _STDOUT = 1, 3, 4, 5, 6


def begin(path: Path, script: Path, query: str = "", *, timeout: float = 120) -> socket.socket:
    """Connect to a pool and send a request; `finish` gets the answer. The caller closes the socket."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
        values = {"SCRIPT_FILENAME": str(script), "QUERY_STRING": query, "REQUEST_METHOD": "GET"}
        params = b"".join(_pair(name.encode(), value.encode()) for name, value in values.items())
        start = struct.pack(">HB5x", 1, 0)  # a responder, and close afterwards
        connection.sendall(
            b"".join(_record(*each) for each in ((_BEGIN, start), (_PARAMS, params), (_PARAMS, b""), (_STDIN, b"")))
        )
    except BaseException:
        connection.close()
        raise
    return connection


def finish(connection: socket.socket) -> str:
    """The body of the answer. Closes the connection: the worker waits for that before it takes another one."""
    with connection, connection.makefile("rb") as answer:
        body = b""
        while header := answer.read(_HEADER.size):
            _, kind, _, size, padding = _HEADER.unpack(header)
            content = answer.read(size + padding)[:size]
            if kind == _STDOUT:
                body += content
            if kind == _END:
                break
    return body.partition(b"\r\n\r\n")[2].decode()


def _record(kind: int, content: bytes) -> bytes:
    return _HEADER.pack(1, kind, 1, len(content), 0) + content


def _pair(name: bytes, value: bytes) -> bytes:
    return struct.pack(">BI", len(name), len(value) | 1 << 31) + name + value
