"""Redis: one database number, key by key, as RESTORE commands that `redis-cli --pipe` understands as well.

Each key is dumped at one moment, all of them within the time that a SCAN takes: keys that were there all along are
there once; what changes meanwhile is there as before or after. Other numbers of the server are never read.
"""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

from coloc.databases.servers import Servers
from coloc.errors import ColocError

END = b"-- Redis dump complete"
ALL, EXPIRING = "keys", "keys that expire"
_BATCH = 200
_SECONDS = 120.0
_MOST = 1024 * 1024 * 1024  # of one reply
_HINT = "is the Redis server up? only a cache: write redis_db: cache for this app in coloc.yml"
Reply: TypeAlias = "bytes | int | list[Reply] | None"
T = TypeVar("T")


class RedisSays(ColocError):
    """The server answered with an error."""


class Client:
    """One connection to one database number; commands go out in batches."""

    def __init__(self, servers: Servers, number: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX if servers.redis_socket else socket.AF_INET)
        self._file = self._socket.makefile("rb")
        try:
            self._socket.settimeout(_SECONDS)
            self._socket.connect(servers.redis_socket or ("127.0.0.1", servers.redis_port or 6379))
            self.ask([b"SELECT", b"%d" % number])
        except OSError as error:
            self.close()
            raise ColocError(f"Redis does not answer: {error.strerror or error}", hint=_HINT) from error
        except ColocError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def ask(self, command: Sequence[bytes]) -> Reply:
        """One command, one answer. Raises ColocError."""
        return self.ask_all([command])[0]

    def ask_all(self, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
        """Several at once. Raises ColocError for the first that the server refuses."""
        try:
            self._socket.sendall(b"".join(encoded(command) for command in commands))
            replies = [self._reply() for _ in commands]
        except (OSError, ValueError) as error:
            raise ColocError(f"Redis hung up: {error}", hint=_HINT) from error
        for reply in replies:
            if isinstance(reply, RedisSays):
                raise reply
        return [reply for reply in replies if not isinstance(reply, RedisSays)]

    def _reply(self) -> Reply | RedisSays:
        line = self._file.readline(64 * 1024)
        kind, rest = line[:1], line[1:].rstrip(b"\r\n")
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisSays(f"Redis: {rest.decode('utf-8', 'replace')[:200]}", hint=_HINT)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else _exactly(self._file, size)
        if kind == b"*":
            found = [self._reply() for _ in range(max(0, int(rest)))]
            refused = [each for each in found if isinstance(each, RedisSays)]
            return refused[0] if refused else [each for each in found if not isinstance(each, RedisSays)]
        raise ValueError("the connection ended" if not line else "no answer of Redis")


def encoded(command: Sequence[bytes]) -> bytes:
    """A command as it goes over the line."""
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
    return b"".join(parts)


def dump(servers: Servers, number: int, write: Callable[[bytes], object]) -> Mapping[str, int]:
    """Write every key of one database; returns the counts. Raises ColocError."""
    client = Client(servers, number)
    try:
        count = expiring = 0
        for names in _batches(_keys(client)):
            seconds, micros = (_text(each) for each in _list(client.ask([b"TIME"])))
            now = int(seconds) * 1000 + int(micros) // 1000
            replies = client.ask_all([word for name in names for word in ([b"DUMP", name], [b"PTTL", name])])
            for name, value, left in zip(names, replies[::2], replies[1::2], strict=True):
                if not isinstance(value, bytes) or not isinstance(left, int) or left == -2:
                    continue  # it expired or was deleted while we looked
                until = now + left if left >= 0 else 0
                write(encoded([b"RESTORE", name, b"%d" % until, value, b"REPLACE", b"ABSTTL"]))
                count, expiring = count + 1, expiring + (left >= 0)
        write(encoded([b"ECHO", END + b": %d keys" % count]))
        return {ALL: count, EXPIRING: expiring}
    finally:
        client.close()


def load(servers: Servers, number: int, file: Path, *, for_good: bool) -> int:
    """Load a dump; returns how many keys it holds. Raises ColocError.

    for_good: they take the place of all that is in the database, in one transaction, and expire when they should.
    Otherwise they are added to an empty one and stay, to be counted.
    """
    client = Client(servers, number)
    try:
        if for_good:
            client.ask_all([[b"MULTI"], [b"FLUSHDB"]])
        count = 0
        for commands in _batches(_commands(file)):
            if not for_good:
                commands = [[*each[:2], b"0", *each[3:]] for each in commands]  # noqa: PLW2901 - the same, for ever
            client.ask_all(commands)
            count += len(commands)
        if for_good and not isinstance(client.ask([b"EXEC"]), list):
            raise ColocError("Redis did not carry the exchange out", hint="nothing was changed there; try again")
        return count
    finally:
        client.close()


def count(servers: Servers, number: int) -> int:
    """How many keys a database has."""
    client = Client(servers, number)
    try:
        size = client.ask([b"DBSIZE"])
        return size if isinstance(size, int) else 0
    finally:
        client.close()


def number_of(name: str) -> int:
    """A database's number. Raises ColocError."""
    if not re.fullmatch(r"[0-9]{1,5}", name):
        raise ColocError(f"{name[:40]!r} is no number of a Redis database", hint="mend redis_db of the app")
    return int(name)


def _keys(client: Client) -> Iterator[bytes]:
    """Every key once: SCAN may tell one twice, and what it told is remembered by hash."""
    cursor, seen = b"0", set[bytes]()
    while True:
        answer = _list(client.ask([b"SCAN", cursor, b"COUNT", b"1000"]))
        for key in _list(answer[1]):
            digest = hashlib.blake2b(_text(key), digest_size=8).digest()
            if digest not in seen:
                seen.add(digest)
                yield _text(key)
        cursor = _text(answer[0])
        if cursor == b"0":
            return


def _commands(file: Path) -> Iterator[list[bytes]]:
    """The RESTOREs of a dump. Raises ColocError when it is no whole dump of ours."""
    try:
        with file.open("rb") as opened:
            while command := _command(opened):
                if command[0] == b"ECHO" and command[1].startswith(END):
                    return
                if command[0] != b"RESTORE" or len(command) != 6:
                    raise ValueError("an order that is not ours")
                yield command
    except (ValueError, IndexError) as error:
        raise ColocError(f"the dump of Redis cannot be read: {error}", hint="use another archive or host") from error
    raise ColocError("the dump of Redis has no end", hint="use another archive or host")


def _command(file: BinaryIO) -> list[bytes]:
    head = file.readline(32)
    if not head:
        return []
    if not head.startswith(b"*"):
        raise ValueError("no command")
    words = []
    for _ in range(min(16, int(head[1:]))):
        size = file.readline(32)
        if not size.startswith(b"$"):
            raise ValueError("no word of a command")
        words.append(_exactly(file, int(size[1:])))
    return words


def _exactly(file: BinaryIO, size: int) -> bytes:
    if not 0 <= size <= _MOST:
        raise ValueError("a length without end")
    text = file.read(size)
    if len(text) != size or file.read(2) != b"\r\n":
        raise ValueError("it is cut")
    return text


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _list(reply: Reply) -> list[Reply]:
    if not isinstance(reply, list):
        raise ColocError("Redis answered something else than was asked", hint=_HINT)
    return reply


def _text(reply: Reply) -> bytes:
    if not isinstance(reply, bytes):
        raise ColocError("Redis answered something else than was asked", hint=_HINT)
    return reply
