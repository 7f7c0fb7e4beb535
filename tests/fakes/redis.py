"""A real Redis of the tests' own: a socket in a temporary folder, ended by its pid."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coloc.databases import redis
from coloc.databases.servers import Servers
from coloc.errors import ColocError


@contextmanager
def redis_server() -> Iterator[Servers]:
    """A fresh server, gone at the end."""
    program = shutil.which("redis-server")
    assert program, "redis-server is missing: apt install redis-server"
    with tempfile.TemporaryDirectory(prefix="coloc-test-redis-") as folder:
        socket = Path(folder) / "s"
        argv = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            servers = Servers(redis_socket=str(socket))
            deadline = time.monotonic() + 60
            while True:
                try:
                    redis.count(servers, 0)
                    break
                except ColocError:
                    assert process.poll() is None and time.monotonic() < deadline, "redis-server does not start"
                    time.sleep(0.02)
            yield servers
        finally:
            process.terminate()
            process.wait(30)


def fill(servers: Servers, number: int, keys: int) -> None:
    """Every type, an odd name, keys that expire."""
    client = redis.Client(servers, number)
    client.ask_all([[b"SET", b"key:%d" % each, b"value %d" % each] for each in range(keys)])
    client.ask_all(
        [
            [b"RPUSH", b"queue", b"one", b"two", b"one"],
            [b"HSET", b"session \xff\r\n", b"user", b"lea"],
            [b"ZADD", b"rank", b"1.5", b"a"],
            [b"SADD", b"set", b"1", b"2"],
            [b"SET", b"soon", b"gone", b"PX", b"100000000"],
        ]
    )
    client.close()


def content(servers: Servers, number: int) -> dict[bytes, object]:
    """What is there, comparable: the serialised value of each key, and whether it expires."""
    client = redis.Client(servers, number)
    keys = client.ask([b"KEYS", b"*"])
    assert isinstance(keys, list)
    found: dict[bytes, object] = {}
    for key in keys:
        assert isinstance(key, bytes)
        left = client.ask([b"PTTL", key])
        assert isinstance(left, int)
        found[key] = (client.ask([b"DUMP", key]), left >= 0)
    client.close()
    return found
