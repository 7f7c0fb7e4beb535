"""The spool: facts that root one-shots (backup, drill, restore) report to the daemon, one fsynced JSON file each.

The writer owns the folder, the daemon only reads it. A fact's id makes taking it twice harmless.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coloc.errors import StateError

KINDS = frozenset({"run_started", "run_finished", "backup", "proof", "prune", "restore", "host"})
_NAME = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{32}\.json")
_MAX_BYTES = 256 * 1024
_KEEP = timedelta(days=30)
Value = str | int | float | bool | None | list[str]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened: what kind, when, and flat values (`app`, `host`, `archive`, …)."""

    id: str
    kind: str
    at: datetime
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class BadFact:
    """A file of the spool that is not a fact; told once and then left alone."""

    id: str
    why: str


class Spool:
    """A folder of facts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, kind: str, now: datetime, **values: Value) -> Fact:
        """Report a fact: written beside, fsynced, renamed, and the folder fsynced. Raises StateError."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind of fact: {kind}")
        moment = now.astimezone(UTC)
        fact = Fact(f"{moment:%Y%m%dT%H%M%S%f}Z-{uuid.uuid4().hex}", kind, moment, values)
        text = json.dumps({"kind": kind, "at": moment.isoformat(), "values": values}, allow_nan=False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            write_whole(self._folder / f"{fact.id}.json", text, mode=0o640)
        except OSError as error:
            raise StateError(
                f"the fact {kind!r} cannot be written to {self._folder}: {error.strerror}",
                hint="free some space there, then run it again",
            ) from error
        return fact

    def read(self, *, known: frozenset[str] = frozenset()) -> Iterator[Fact | BadFact]:
        """The facts whose ids are not `known`, oldest first."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith(".json"))
        except FileNotFoundError:
            return
        for name in names:
            if name.removesuffix(".json") in known:
                continue
            try:
                yield _parse(name, self._folder / name)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                yield BadFact(name.removesuffix(".json"), f"{type(error).__name__}: {error}"[:200])

    def tidy(self, now: datetime) -> None:
        """Remove facts of more than thirty days; called by the writer before a run."""
        limit = f"{(now.astimezone(UTC) - _KEEP):%Y%m%dT%H%M%S%f}"
        if not self._folder.is_dir():
            return
        for entry in os.scandir(self._folder):
            if entry.name < limit and _NAME.fullmatch(entry.name):
                Path(entry.path).unlink(missing_ok=True)


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old one or the new one, also after a power cut. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse(name: str, path: Path) -> Fact:
    if not _NAME.fullmatch(name):
        raise ValueError("not a name that we give")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise ValueError("larger than a fact can be")
    data = json.loads(raw)
    kind, values, at = data["kind"], data["values"], datetime.fromisoformat(data["at"])
    if kind not in KINDS or not isinstance(values, dict) or at.tzinfo is None:
        raise ValueError("not the shape of a fact")
    return Fact(name.removesuffix(".json"), kind, at, values)
