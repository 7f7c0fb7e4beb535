"""Root's signed book of archives: what was begun, proven, removed by us; and what a host shows, held against it.

Each entry is signed (HMAC-SHA256) over itself and the entry before it, with a key that root keeps beside the journal.
What it protects against: a backup host, or anybody with its maintenance rights, that adds, swaps or hides archives; a
journal that was edited, cut in its middle, mixed up or damaged without the key. What it does not: somebody who is root
here can read the key. A book that was cut at its end, or rolled back whole, shows as archives that it does not know.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from backup.borg_output import Archive
from backup.journal import Journal
from backup.names import checkpoint_of, parse_archive_name
from coloc.errors import StateError
from coloc.facts import write_whole
from coloc.secrets import Secret
from coloc.times import iso

What = Literal["begun", "proven", "removed", "adopted", "anew"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what became of a set on a host; `archives`: name → id, empty for what was only begun."""

    host: str
    what: str
    app: str
    run: str
    archives: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a host shows against the book. unknown: archives of ours that it does not know; lost: gone or swapped."""

    unknown: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """True when nothing is to be explained."""
        return not self.unknown and not self.lost


def compare(coloc: str, entries: Iterable[Entry], found: Iterable[Archive]) -> Comparison:
    """Hold the book of one host against its list. Pure.

    What we wrote down as removed may still be there, unchanged: the line comes first, and the deletion may be cut off.
    """
    known: dict[tuple[str, str], dict[str, str]] = {}
    removed: dict[tuple[str, str], dict[str, str]] = {}
    begun: set[tuple[str, str]] = set()
    for entry in since_anew(entries):
        key = (entry.app, entry.run)
        if entry.what == "removed":
            removed[key] = known.pop(key, removed.get(key, {}))
            begun.discard(key)
            continue
        begun.add(key)
        if entry.archives:
            known[key] = dict(entry.archives)
    shown = {archive.name: archive.id for archive in found}
    unknown = []
    for name, number in shown.items():
        owner = parse_archive_name(name)
        part = owner or checkpoint_of(name)
        if part is None or part.coloc != coloc:
            continue
        key = (part.app, part.run)
        ids = known.get(key) or removed.get(key)
        if key not in begun | removed.keys() or (owner and ids and ids.get(name) != number):
            unknown.append(name)
    lost = [name for names in known.values() for name in names if name not in shown]
    return Comparison(tuple(sorted(unknown)), tuple(sorted(lost)))


def since_anew(entries: Iterable[Entry]) -> list[Entry]:
    """What counts of a host's lines: those after a person last said that the host begins anew. Pure."""
    lines = list(entries)
    marks = [number for number, entry in enumerate(lines) if entry.what == "anew"]
    return lines[marks[-1] + 1 :] if marks else lines


def adopted(coloc: str, host: str, found: Iterable[Archive]) -> list[Entry]:
    """Lines that take what a host shows as known: its archives of this coloc, unfinished ones as begun. Pure."""
    sets: dict[tuple[str, str], dict[str, str]] = {}
    for archive in found:
        owner = parse_archive_name(archive.name)
        part = owner or checkpoint_of(archive.name)
        if part is None or part.coloc != coloc:
            continue
        names = sets.setdefault((part.app, part.run), {})
        if owner:
            names[archive.name] = archive.id
    return [Entry(host, "adopted", app, run, names) for (app, run), names in sorted(sets.items())]


def write(journal: Journal, entry: Entry, now: datetime) -> None:
    """Add a line at the end of the book. Raises StateError."""
    write_all(journal, [entry], now)


def write_all(journal: Journal, entries: Iterable[Entry], now: datetime) -> None:
    """Add lines at the end, all or none. Raises StateError."""
    with journal.transaction() as connection:
        _append(journal, connection, entries, now)


def read(journal: Journal, host: str) -> list[Entry]:
    """The lines about a host, after the whole book was verified. Raises StateError when a signature is wrong."""
    rows = journal.ask("SELECT number, host, what, app, run, archives, at, mac FROM ledger ORDER BY number")
    if not rows:
        return []
    key, before = _key(journal, may_make=False), ""
    for expected, row in enumerate(rows, start=1):
        mac = _sign(key, before, (int(row[0]), *row[1:7]))
        if int(row[0]) != expected or not hmac.compare_digest(mac, row[7]):
            raise StateError(
                f"the book of archives was changed by somebody else, at line {expected}",
                hint="nothing is removed on any host; find out who was root here, then: coloc-agent adopt",
            )
        before = row[7]
    return [Entry(row[1], row[2], row[3], row[4], json.loads(row[5])) for row in rows if row[1] == host]


def begin_again(journal: Journal, entries: Iterable[Entry], now: datetime) -> None:
    """A person accepts what the hosts show: a new book, with a new key, that begins with `entries`."""
    with journal.transaction() as connection:
        connection.execute("DELETE FROM ledger")
        _key_path(journal).unlink(missing_ok=True)
        _append(journal, connection, entries, now)


def _append(journal: Journal, connection: sqlite3.Connection, entries: Iterable[Entry], now: datetime) -> None:
    """Within a transaction, that is by one writer at a time: hosts begin their first night at the same moment."""
    row = connection.execute("SELECT number, mac FROM ledger ORDER BY number DESC LIMIT 1").fetchone()
    number, before = (int(row[0]), str(row[1])) if row else (0, "")
    key = _key(journal, may_make=row is None)
    for entry in entries:
        number += 1
        values = (number, entry.host, entry.what, entry.app, entry.run, _text(entry.archives), iso(now))
        before = _sign(key, before, values)
        connection.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, before))


def _sign(key: Secret, before: str, values: tuple[int | str, ...]) -> str:
    text = json.dumps([before, *values], ensure_ascii=True, separators=(",", ":"))
    return hmac.new(key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


def _text(archives: Mapping[str, str]) -> str:
    return json.dumps(dict(sorted(archives.items())))


def _key(journal: Journal, *, may_make: bool) -> Secret:
    path = _key_path(journal)
    try:
        return Secret(path.read_text("ascii").strip())
    except FileNotFoundError:
        if not may_make:
            raise StateError(
                f"{path} is gone: the book of archives cannot be verified",
                hint="nothing is removed on any host; when you know why: coloc-agent adopt",
            ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path} cannot be read", hint="run it as root") from error
    fresh = Secret(secrets.token_hex(32))
    try:
        write_whole(path, f"{fresh.reveal()}\n")
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}", hint="free some space there") from error
    return fresh


def _key_path(journal: Journal) -> Path:
    return journal.folder / "book.key"
