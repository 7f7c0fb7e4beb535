"""Names of runs and archives: what ties an app's files and databases together. Pure; foreign names are not ours."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from backup.borg_output import CHECKPOINT
from coloc.errors import ColocError
from coloc.model import Database, DatabaseKind

FILES = "files"
SYSTEM = "yunohost__system"  # YunoHost's own parts, kept like an app under an id that no app can bear
OWN = "coloc-agent-config"  # as the agent's own configuration is called among the apps
LIKE_APPS = frozenset({SYSTEM, OWN})  # kept and pruned like apps, though no inventory lists them
_COLOC = r"[a-z0-9][a-z0-9_-]{0,39}"
_APP = r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}"
_RUN = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
_SLUG = r"[A-Za-z0-9_-]{0,40}-[0-9a-f]{8}"
_KIND = "|".join(DatabaseKind)
_NAME = re.compile(
    rf"(?P<coloc>{_COLOC})\.(?P<app>{_APP})\.(?P<run>{_RUN})\.(?:{FILES}|(?P<kind>{_KIND})\.(?P<slug>{_SLUG}))"
)


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """An archive's name in its parts. `kind` and `slug` are empty for the archive of files."""

    coloc: str
    app: str
    run: str
    kind: str = ""
    slug: str = ""

    def __str__(self) -> str:
        rest = f"{self.kind}.{self.slug}" if self.kind else FILES
        return f"{self.coloc}.{self.app}.{self.run}.{rest}"

    @property
    def is_files(self) -> bool:
        """True for the archive that holds the files and the manifest."""
        return not self.kind


def new_run(now: datetime) -> str:
    """A run's id: its moment in UTC, then six random digits."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def run_time(run: str) -> datetime:
    """When a run began. Raises ValueError for what is no run id."""
    if not re.fullmatch(_RUN, run):
        raise ValueError(f"{run!r} is no run id")
    return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def archive_name(coloc: str, app: str, run: str, database: Database | None = None) -> str:
    """The archive of an app's files, or of one of its databases. Raises ColocError for an id that names cannot bear."""
    require_id(app)
    name = ArchiveName(coloc, app, run, str(database.kind) if database else "", slug(database.name) if database else "")
    if parse_archive_name(str(name)) != name:
        raise ValueError(f"{name} would not be read back")
    return str(name)


def require_id(app: str) -> None:
    """Raises ColocError for an id that would not be safe in the names of archives, folders and files."""
    if not re.fullmatch(_APP, app):
        raise ColocError(
            f"the app {app[:80]!r} cannot be backed up under that id",
            hint="use letters, digits, - and _ in apps: of coloc.yml",
        )


def slug(database: str) -> str:
    """A database's name (or an SQLite file's path) in plain letters, kept unique by eight digits of its hash."""
    digest = hashlib.sha256(database.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', database[-40:])}-{digest}"


def parse_archive_name(name: str) -> ArchiveName | None:
    """The reverse of `archive_name`; None for an archive that is not ours, or for a checkpoint."""
    match = _NAME.fullmatch(name)
    if not match:
        return None
    try:
        run_time(match["run"])
    except ValueError:
        return None
    return ArchiveName(match["coloc"], match["app"], match["run"], match["kind"] or "", match["slug"] or "")


def checkpoint_of(name: str) -> ArchiveName | None:
    """Whose checkpoint this is (`….checkpoint`, `….checkpoint.1`); None when it is none of ours."""
    whole, mark, rest = name.partition(CHECKPOINT)
    return parse_archive_name(whole) if mark and re.fullmatch(r"(\.\d{1,6})?", rest) else None
