"""What an app's backup says of itself: `coloc-manifest.json` at the top of its archive of files.

Two layouts. `own`: paths as they lie below the root, each database in an archive of its own. `yunohost`: what
YunoHost's own backup lays out (`info.json`, `backup.csv`, `apps/APP/settings`, `apps/APP/backup/…`), dumps among it.
Ask `member_of` and `SavedDatabase.file` where something lies, and never the layout itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from backup.dump_spec import member_of
from backup.samples import Sample, samples_from
from coloc.errors import ColocError
from coloc.model import DatabaseKind
from coloc.times import iso, parse_iso

MANIFEST = "coloc-manifest.json"
FORMAT = 2
_READS = frozenset({1, FORMAT})  # 1 knew only our own layout
MAX_BYTES = 8 * 1024 * 1024


class Layout(StrEnum):
    """How the archive of files is laid out."""

    OWN = "own"
    YUNOHOST = "yunohost"


@dataclass(frozen=True, slots=True)
class SavedFolder:
    """A folder of the app: its path as the app knows it, and where it really lay (both below the root).

    `member`: its path in the archive, "" when that is what the layout says.
    """

    path: str
    resolved: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class SavedDatabase:
    """A database of the same run. `tables`: rows of each, counted in the dump's stream.

    `archive` is its own or, for a dump that an app's backup script wrote, the archive of files. `member`: the file in
    it, "" for the one file of an archive of its own.
    """

    kind: DatabaseKind
    name: str
    archive: str
    bytes: int
    sha256: str
    tables: Mapping[str, int]
    end_marker: bool
    member: str = ""

    @property
    def file(self) -> str:
        """The dump's path in its archive."""
        return self.member or member_of(self.kind)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One app at one run. `extra_paths`: settings, nginx, php, units, cron, as `etc/…` below the root."""

    coloc: str
    app: str
    run: str
    created_at: datetime
    agent_version: str
    app_version: str | None
    label: str
    user: str | None
    folders: tuple[SavedFolder, ...]
    extra_paths: tuple[str, ...]
    databases: tuple[SavedDatabase, ...]
    excluded: tuple[str, ...]
    samples: tuple[Sample, ...] = ()  # pieces of files, for drills
    layout: Layout = Layout.OWN

    def member_of(self, path: str) -> str:
        """Where a path below the root (`var/www/app/x`) lies in the archive of files."""
        for folder in self.folders:
            top = folder.resolved.lstrip("/")
            if folder.member and (path == top or path.startswith(f"{top}/")):
                return folder.member + path[len(top) :]
        if self.layout is Layout.OWN:
            return path
        settings = f"etc/yunohost/apps/{self.app}"
        if path == settings or path.startswith(f"{settings}/"):
            return f"apps/{self.app}/settings{path[len(settings) :]}"
        return f"apps/{self.app}/backup/{path}"

    def to_json(self) -> str:
        """The text of the member."""
        data = {"format": FORMAT, **asdict(self), "created_at": iso(self.created_at)}
        return json.dumps(data, indent=1, sort_keys=True) + "\n"


def parse_manifest(text: str | bytes) -> Manifest:
    """The reverse of `to_json`. Raises ColocError for a newer form, or for what is no manifest."""
    try:
        data: Any = json.loads(text)
        if data["format"] not in _READS:
            raise ColocError(
                f"the archive's manifest has form {data['format']!r}, and I know {FORMAT}",
                hint="restore it with the coloc-agent that wrote it, or a newer one",
            )
        return Manifest(
            str(data["coloc"]),
            str(data["app"]),
            str(data["run"]),
            parse_iso(data["created_at"]),
            str(data["agent_version"]),
            _text(data["app_version"]),
            str(data["label"]),
            _text(data["user"]),
            tuple(_folder(each) for each in data["folders"]),
            tuple(str(path) for path in data["extra_paths"]),
            tuple(_database(each) for each in data["databases"]),
            tuple(str(word) for word in data["excluded"]),
            samples=samples_from(data.get("samples", ())),
            layout=Layout(data.get("layout", Layout.OWN)),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ColocError(
            f"the archive's manifest cannot be read: {type(error).__name__}", hint="use another archive of this app"
        ) from error


def _folder(data: Mapping[str, Any]) -> SavedFolder:
    return SavedFolder(str(data["path"]), str(data["resolved"]), str(data.get("member", "")))


def _database(data: Mapping[str, Any]) -> SavedDatabase:
    return SavedDatabase(
        DatabaseKind(data["kind"]),
        str(data["name"]),
        str(data["archive"]),
        int(data["bytes"]),
        str(data["sha256"]),
        {str(table): int(rows) for table, rows in data["tables"].items()},
        data["end_marker"] is True,
        str(data.get("member", "")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
