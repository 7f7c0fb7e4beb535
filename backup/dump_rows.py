"""Counts the rows of each table while a dump passes by, line by line, in bounded memory. Understands, never changes."""

from __future__ import annotations

import re
from collections.abc import Callable

from coloc.databases.postgresql import qualified

_MARK_MYSQL = b"-- Dump completed"
_MARK_PG = b"-- PostgreSQL database dump complete"
_NAME = rb"`((?:[^`]|``)+)`"
_INSERT = re.compile(rb"INSERT INTO " + _NAME + rb"[^`']*?(?:\((?:`(?:[^`]|``)+`(?:, ?)?)+\) ?)?VALUES", re.DOTALL)
_CREATE = re.compile(rb"CREATE TABLE " + _NAME + rb" \(", re.DOTALL)
_PART = rb'("(?:[^"]|"")+"|[^".\s(]+)'
_COPY = re.compile(
    rb"COPY " + _PART + rb"\." + _PART + rb"(?: \((?:[^\"]|\"(?:[^\"]|\"\")*\")*\))? FROM stdin;\n", re.DOTALL
)


class Lines:
    """Cuts pieces into lines for a function; what is after the last newline waits."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take, self._rest = take, [b""]

    def feed(self, piece: bytes) -> None:
        """The next bytes of the stream."""
        *whole, rest = piece.split(b"\n")
        if not whole:
            self._rest.append(rest)
            return
        self._rest.append(whole[0])
        self._take(b"".join(self._rest) + b"\n")
        for line in whole[1:]:
            self._take(line + b"\n")
        self._rest = [rest]

    def end(self) -> None:
        """The stream is over."""
        if rest := b"".join(self._rest):
            self._take(rest)
        self._rest = [b""]


class MysqlRows:
    """A dump of mariadb-dump. Newlines in values are escaped there, so only names can hold one.

    Bodies of routines, triggers and events lie between `DELIMITER ;;` and `DELIMITER ;`: their INSERTs are not rows.
    """

    def __init__(self) -> None:
        self.tables: dict[str, int] = {}
        self.complete = False
        self._header = b""
        self._table: str | None = None
        self._in_body = False

    def take(self, line: bytes) -> None:
        """One line with its end."""
        if line.startswith(b"DELIMITER "):
            self._in_body = line.rstrip() != b"DELIMITER ;"
        elif self._in_body:
            return
        elif self._table is not None:
            self._values(line)
        elif self._header or line.startswith((b"INSERT INTO `", b"CREATE TABLE `")):
            self._begin(self._header + line)
        elif line.startswith(_MARK_MYSQL):
            self.complete = True

    def _begin(self, header: bytes) -> None:
        self._header = b""
        if match := _INSERT.match(header):
            self._table = _plain(match[1])
            self.tables.setdefault(self._table, 0)
            self._values(header[match.end() :])
        elif match := _CREATE.match(header):
            self.tables.setdefault(_plain(match[1]), 0)
        elif len(header) < 100_000:
            self._header = header  # a name with a newline in it: wait for the rest

    def _values(self, line: bytes) -> None:
        if b"\\" in line:
            line = line.replace(b"\\\\", b"").replace(b"\\'", b"")
        outside = line.split(b"'")[::2]  # what is left of quotes begins or ends a string
        if self._table is not None:
            self.tables[self._table] += sum(part.count(b"(") for part in outside)
        if outside[-1].rstrip().endswith(b";"):
            self._table = None


class PostgresqlRows:
    """A plain dump of pg_dump: rows are the lines between `COPY … FROM stdin;` and `\\.`."""

    def __init__(self) -> None:
        self.tables: dict[str, int] = {}
        self.complete = False
        self._header = b""
        self._table: str | None = None

    def take(self, line: bytes) -> None:
        """One line with its end."""
        if self._table is not None:
            if line == b"\\.\n":
                self._table = None
            else:
                self.tables[self._table] += 1
        elif self._header or line.startswith(b"COPY "):
            self._begin(self._header + line)
        elif line.startswith(_MARK_PG):
            self.complete = True

    def _begin(self, header: bytes) -> None:
        self._header = b""
        if match := _COPY.fullmatch(header):
            self._table = qualified(_unquoted(match[1]), _unquoted(match[2]))
            self.tables.setdefault(self._table, 0)
        elif len(header) < 100_000 and header.count(b'"') % 2:
            self._header = header  # a quoted name with a newline in it


def _plain(name: bytes) -> str:
    return name.replace(b"``", b"`").decode("utf-8", "surrogateescape")


def _unquoted(part: bytes) -> str:
    bare = part[1:-1].replace(b'""', b'"') if part.startswith(b'"') else part
    return bare.decode("utf-8", "surrogateescape")
