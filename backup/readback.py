"""Proof that a set can be read: what the repository holds now, asked by new Borg processes, against what we sent.

Dumps are fetched whole and hashed as they pass; of the files, the manifest. Restoring them is another, rarer proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from backup.borg import Repository
from backup.borg_output import ArchiveInfo, Created
from coloc.errors import ColocError
from coloc.model import DatabaseKind

_TAIL = 4096
# Newer pg_dumps write an \unrestrict line after their mark, so it is looked for near the end and not at it.
_ENDS = {
    DatabaseKind.MYSQL: b"-- Dump completed",
    DatabaseKind.POSTGRESQL: b"-- PostgreSQL database dump complete",
    DatabaseKind.REDIS: b"-- Redis dump complete",
}


class NotProven(ColocError):
    """What the host gives back is not what we sent."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One archive as we made it, and the one file in it that is fetched again. kind: of a dump, None for the files."""

    created: Created
    member: str
    sha256: str
    bytes: int
    kind: DatabaseKind | None = None


def read_back(repository: Repository, pattern: str, sent: Sequence[Sent], *, timeout: float = 86_400.0) -> None:
    """Ask for what was just sent; `pattern` matches the set's archives. Raises NotProven or BorgError."""
    found = {info.name: info for info in repository.archive_infos(pattern)}
    for each in sent:
        _compare(repository.host, each.created, found.get(each.created.archive))
    for each in sent:
        _fetch(repository, each, timeout)


def _compare(host: str, created: Created, found: ArchiveInfo | None) -> None:
    if found is None:
        raise NotProven(
            f"{host}: the archive {created.archive} is not in the repository any more",
            hint="who else can delete there? ask the owner of the host, then run it again",
        )
    if found.id != created.id:
        raise NotProven(f"{host}: {created.archive} was replaced by another archive", hint="ask the owner of the host")
    ours, theirs = (created.files, created.original_bytes), (found.files, found.original_bytes)
    if ours != theirs:
        raise NotProven(
            f"{host}: {created.archive} holds {theirs[0]} files, {theirs[1]} bytes; sent were {ours[0]}, {ours[1]}",
            hint="run it again; if it comes back, check the repository",
        )


class _Passing:
    """Hashes what passes and keeps the two ends of it."""

    def __init__(self) -> None:
        self.digest, self.bytes, self.head, self.tail = hashlib.sha256(), 0, b"", b""

    def __call__(self, piece: bytes) -> None:
        self.digest.update(piece)
        self.bytes += len(piece)
        if len(self.head) < 100:
            self.head = (self.head + piece[:100])[:100]
        self.tail = (self.tail + piece[-_TAIL:])[-_TAIL:]


def _fetch(repository: Repository, sent: Sent, timeout: float) -> None:
    passing = _Passing()
    repository.stream_member(sent.created.archive, sent.member, passing, timeout=timeout)
    name = f"{repository.host}: {sent.member} of {sent.created.archive}"
    if (passing.bytes, passing.digest.hexdigest()) != (sent.bytes, sent.sha256):
        raise NotProven(
            f"{name} came back different ({passing.bytes} bytes, {sent.bytes} were sent)",
            hint="run it again; if it comes back, check the repository and its disk",
        )
    if sent.kind and not has_end(sent.kind, passing.head, passing.tail, passing.bytes):
        raise NotProven(f"{name} has no end", hint="the dump was cut: look at the database server, and run it again")


def has_end(kind: DatabaseKind, head: bytes, tail: bytes, size: int) -> bool:
    """True when a dump bears its program's last words, or when an SQLite file is as long as its header says."""
    if kind is not DatabaseKind.SQLITE:
        return _ENDS[kind] in tail
    if size == 0:
        return True  # an SQLite database without any table is an empty file
    if len(head) < 100 or not head.startswith(b"SQLite format 3\x00"):
        return False
    page = int.from_bytes(head[16:18], "big")
    return size == (65_536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
