"""What Borg prints, parsed at the door: one JSON document on stdout, JSON lines and sometimes plain text on stderr."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backup.borg_errors import BorgError, Said

CHECKPOINT = ".checkpoint"
_MAX_SAID = 100  # of each kind
_MAX_VANISHED = 5000  # files; a source itself may be among them, so none is forgotten without a word
_TOO_MANY = "BackupTooManyVanished"  # ours; like Borg's own it begins with Backup


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a `create`, `extract`, `compact` or `check` has come; `total_bytes` is 0 when Borg cannot know it."""

    done_bytes: int
    files: int
    path: str
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Created:
    """A new archive as `create --json` reports it. `warnings`: files that changed, vanished or could not be read."""

    archive: str
    id: str
    started_at: datetime
    duration_seconds: float
    files: int
    original_bytes: int
    deduplicated_bytes: int
    repository_id: str
    warnings: tuple[Said, ...] = ()
    repository_bytes: int = 0  # what the whole repository holds, after this archive

    @property
    def unreadable(self) -> tuple[Said, ...]:
        """What was there and could not be read. A file that changes or vanishes under us is life, not a failure."""
        return tuple(line for line in self.warnings if not _vanished(line) and not _changed(line))


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive of the repository's list."""

    name: str
    id: str
    started_at: datetime

    @property
    def is_checkpoint(self) -> bool:
        """True for what an interrupted run left: it saves sending again, it is no backup."""
        return CHECKPOINT in self.name


@dataclass(frozen=True, slots=True)
class Listing:
    """The repository's id and its archives, oldest first, checkpoints of interrupted runs included."""

    repository_id: str
    archives: tuple[Archive, ...]


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """One archive with its counts."""

    name: str
    id: str
    started_at: datetime
    files: int
    original_bytes: int
    deduplicated_bytes: int


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """The repository itself: what it holds on its disk."""

    id: str
    unique_bytes: int


@dataclass(frozen=True, slots=True)
class Item:
    """One file, folder or link of an archive. `type`: d, -, l, or another letter of `ls`."""

    path: str
    type: str
    mode: str
    user: str
    group: str
    uid: int
    gid: int
    size: int
    link_target: str


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one file between two archives. what: added, removed, changed; mode, owner… for what is beside."""

    path: str
    what: str
    bytes: int


class Listener:
    """Takes stderr line by line: keeps what is said (bounded), hands progress on.

    Each kind of line has room of its own: thousands of harmless words hide neither a file that could not be read nor
    the reason why Borg gave up, wherever in a long run these come.
    """

    def __init__(self, on_progress: Callable[[Progress], None] | None = None) -> None:
        self._first: list[Said] = []
        self._last: deque[Said] = deque(maxlen=_MAX_SAID // 2)
        self._files: dict[str, list[Said]] = {}
        self._on_progress = on_progress

    @property
    def said(self) -> list[Said]:
        """The first and the last of all other words, where the reason of an end is, then those about files."""
        about_files = [line for lines in self._files.values() for line in lines]
        return [*self._first, *self._last, *about_files]

    def __call__(self, line: str) -> None:
        """One line of stderr."""
        parsed = parse_line(line)
        if isinstance(parsed, Said):
            self._keep(parsed)
        elif parsed is not None and self._on_progress is not None:
            self._on_progress(parsed)

    def _keep(self, line: Said) -> None:
        if not _about_a_file(line):
            (self._first if len(self._first) < _MAX_SAID // 2 else self._last).append(line)
            return
        kind = "changed" if _changed(line) else "vanished" if _vanished(line) else "unreadable"
        kept = self._files.setdefault(kind, [])
        most = _MAX_VANISHED if kind == "vanished" else _MAX_SAID
        if len(kept) < most:
            kept.append(line)
        elif len(kept) == most and kind == "vanished":  # nobody can say any more what is missing
            kept.append(Said("WARNING", f"more than {most} files vanished meanwhile", _TOO_MANY))


def parse_line(line: str) -> Said | Progress | None:
    """A line of stderr with --log-json; None for what says nothing."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return Said("TEXT", line[:2000]) if line.strip() else None
    if not isinstance(data, dict):
        return Said("TEXT", line[:2000])
    kind = str(data.get("type"))
    if kind == "log_message" or kind.startswith("question_"):
        level = str(data.get("levelname", "WARNING"))
        return Said(level, str(data.get("message", ""))[:2000], str(data.get("msgid") or ""))
    return None if data.get("finished") else _parse_progress(kind, data)


def _parse_progress(kind: str, data: Mapping[str, Any]) -> Progress | None:
    if kind == "archive_progress":
        return Progress(_whole(data.get("original_size")), _whole(data.get("nfiles")), str(data.get("path", "")))
    if kind == "progress_percent":
        info = data.get("info")
        path = str(info[0]) if isinstance(info, list) and info else ""
        return Progress(_whole(data.get("current")), 0, path, _whole(data.get("total")))
    return None


def parse_created(text: str, said: list[Said]) -> Created:
    """stdout of `create --json`."""
    with _Door("create"):
        data = json.loads(text)
        archive, stats = data["archive"], data["archive"]["stats"]
        return Created(
            str(archive["name"]),
            str(archive["id"]),
            _time(archive["start"]),
            float(archive["duration"]),
            int(stats["nfiles"]),
            int(stats["original_size"]),
            int(stats["deduplicated_size"]),
            str(data["repository"]["id"]),
            tuple(line for line in said if _about_a_file(line)),
            _whole(data.get("cache", {}).get("stats", {}).get("unique_csize")),
        )


def parse_list(text: str) -> Listing:
    """stdout of `list --json`."""
    with _Door("list"):
        data = json.loads(text)
        archives = [Archive(str(each["name"]), str(each["id"]), _time(each["start"])) for each in data["archives"]]
        return Listing(str(data["repository"]["id"]), tuple(archives))


def parse_archive_infos(text: str) -> list[ArchiveInfo]:
    """stdout of `info --json` on archives."""
    with _Door("info"):
        return [
            ArchiveInfo(
                str(each["name"]),
                str(each["id"]),
                _time(each["start"]),
                int(each["stats"]["nfiles"]),
                int(each["stats"]["original_size"]),
                int(each["stats"]["deduplicated_size"]),
            )
            for each in json.loads(text)["archives"]
        ]


def parse_repository_info(text: str) -> RepositoryInfo:
    """stdout of `info --json` on the repository."""
    with _Door("info"):
        data = json.loads(text)
        return RepositoryInfo(str(data["repository"]["id"]), int(data["cache"]["stats"]["unique_csize"]))


def parse_item(line: str) -> Item:
    """One line of `list --json-lines ::archive`."""
    with _Door("list"):
        data: Mapping[str, Any] = json.loads(line)
        return Item(
            str(data["path"]),
            str(data["type"]),
            str(data["mode"]),
            str(data.get("user") or ""),
            str(data.get("group") or ""),
            int(data["uid"]),
            int(data["gid"]),
            int(data.get("size") or 0),
            str(data.get("linktarget") or ""),
        )


def parse_change(line: str) -> Change:
    """One line of `diff --json-lines`."""
    with _Door("diff"):
        data = json.loads(line)
        changes = [dict(change) for change in data["changes"]]
        kinds = [str(change["type"]) for change in changes]
        for kind, word in (("added", "added"), ("removed", "removed"), ("modified", "changed")):
            if kind in kinds:
                change = changes[kinds.index(kind)]
                number = change.get("added" if kind == "modified" else "size")
                return Change(str(data["path"]), word, _whole(number))
        words = [kind.split()[0] for kind in kinds] or ["same"]
        return Change(str(data["path"]), words[0], 0)


class _Door:
    """Turns what cannot be read into one error that names the call."""

    def __init__(self, call: str) -> None:
        self._call = call

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, ValueError | KeyError | TypeError | RecursionError):
            raise BorgError(
                f"borg {self._call} printed what cannot be read", hint="is it borg 1.2 or 1.4? try `borg --version`"
            ) from error


def _about_a_file(line: Said) -> bool:
    if line.text.startswith("The files cache"):
        return False
    return line.msgid.startswith("Backup") or _changed(line) or (line.level != "INFO" and "[Errno " in line.text)


def _changed(line: Said) -> bool:
    return line.msgid == "FileChangedWarning" or "file changed while we backed it up" in line.text


def _vanished(line: Said) -> bool:
    return "[Errno 2]" in line.text


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and value >= 0 else 0


def _time(text: str) -> datetime:
    """Borg prints local times without offset; we run it in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
