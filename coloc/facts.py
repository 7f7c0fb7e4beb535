"""The spool: facts that root one-shots (backup, drill, restore) report to the daemon, one fsynced JSON file each.

The writer owns the folder, the daemon only reads it. A fact's id makes taking it twice harmless.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coloc.errors import StateError

KINDS = frozenset(
    {"run_started", "run_finished", "backup", "proof", "prune", "restore", "host", "drill", "check"}
    | {"forgotten", "escrow", "adopted"}
)
_NAME = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{32}\.json")
_CUT = re.compile(r"\." + _NAME.pattern + r"\.\d+\.[0-9a-f]{8}")  # see write_whole
_DAY = 86400
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
        plain = {name: _plain(value) for name, value in values.items()}
        fact = Fact(f"{moment:%Y%m%dT%H%M%S%f}Z-{uuid.uuid4().hex}", kind, moment, plain)
        text = json.dumps({"kind": kind, "at": moment.isoformat(), "values": plain}, allow_nan=False)
        if len(text) > _MAX_BYTES:
            raise ValueError(f"a fact {kind!r} of {len(text)} characters would not be read again")
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
        """The facts whose ids are not `known`, oldest first. Raises StateError when the folder itself is closed."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith(".json"))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StateError(
                f"the facts in {self._folder} cannot be read: {error.strerror}", hint="check the owner of that folder"
            ) from error
        for name in names:
            if name.removesuffix(".json") in known:
                continue
            try:
                yield _parse(name, self._folder / name)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
                yield BadFact(name.removesuffix(".json"), f"{type(error).__name__}: {error}"[:200])

    def changed_at(self) -> int | None:
        """When a file last came or went, in nanoseconds since 1970; None when the folder cannot be asked."""
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return None

    def tidy(self, now: datetime) -> None:
        """Remove facts of more than thirty days, and what a cut write left; called by the writer before a run."""
        limit = f"{(now.astimezone(UTC) - _KEEP):%Y%m%dT%H%M%S%f}"
        if not self._folder.is_dir():
            return
        for entry in os.scandir(self._folder):
            with suppress(OSError):  # a folder of that name is not ours; what cannot go now goes another day
                is_cut = _CUT.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < time.time() - _DAY
                if is_cut or (entry.name < limit and _NAME.fullmatch(entry.name)):
                    Path(entry.path).unlink()


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
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise ValueError("larger than a fact can be")
    data = json.loads(raw)
    kind, values, at = data["kind"], data["values"], datetime.fromisoformat(data["at"])
    if kind not in KINDS or not isinstance(values, dict) or at.tzinfo is None:
        raise ValueError("not the shape of a fact")
    plain = {_text(key): _plain(value) for key, value in values.items()}
    return Fact(name.removesuffix(".json"), kind, at.astimezone(UTC), plain)


def _plain(value: object) -> Value:
    """A value as a fact may carry it. Raises TypeError or ValueError for what no reader expects."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return [_text(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number without a value")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number without end")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError("not a flat value")


def _text(text: str) -> str:
    """File names may hold bytes that are no text; a fact, and the database behind it, cannot."""
    return text.encode("utf-8", "replace").decode()
