"""What a restore would do: which set of archives, what takes whose place, what room it needs. Pure; changes nothing.

The manifest comes out of an archive: nothing in it is believed before `safe_manifest` has looked at it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backup.manifest import Layout, Manifest, SavedDatabase
from backup.names import OWN, parse_archive_name
from backup.retention import FUTURE, ArchiveSet
from coloc.errors import ColocError
from coloc.model import DatabaseKind

_TOO_BROAD = frozenset(
    {"", "home", "var", "var/www", "var/lib", "etc", "usr", "opt", "home/yunohost.app", "srv", "root", "boot", "proc"}
)
SYSTEM_DATABASES = frozenset(
    {"mysql", "sys", "information_schema", "performance_schema", "postgres", "template0", "template1"}
)
_MARGIN_BYTES = 32 * 1024 * 1024


class Only(StrEnum):
    """What of an app comes back."""

    ALL = "all"
    FILES = "files"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set of archives on one host."""

    host: str
    set: ArchiveSet


@dataclass(frozen=True, slots=True)
class Target:
    """Something of the files archive that takes its place again; `member` is its path in the archive."""

    member: str
    is_setting: bool = False  # of the web server, php, systemd, cron, YunoHost: exchanged only when it differs
    place: str = ""  # its path below the root, when the archive names it otherwise

    @property
    def path(self) -> str:
        """Where it belongs, below the root."""
        return self.place or self.member


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    app: str
    only: Only = Only.ALL
    path: str = ""
    domain: str = ""  # the app comes back on this one


@dataclass(frozen=True, slots=True)
class Space:
    """Room on one filesystem, named by a folder of it."""

    folder: str
    needed_bytes: int
    free_bytes: int

    @property
    def fits(self) -> bool:
        """True when it does, with a margin."""
        return self.needed_bytes + _MARGIN_BYTES <= self.free_bytes


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """All that a restore would do, to be shown before anything is touched."""

    wish: Wish
    candidate: Candidate
    files_archive: str
    manifest: Manifest
    targets: tuple[Target, ...]
    databases: tuple[SavedDatabase, ...]
    units: tuple[str, ...]
    spaces: tuple[Space, ...] = ()
    notes: tuple[str, ...] = ()
    old_domain: str = ""  # the one that it was saved on, when it comes back on another


def choose(
    candidates: Sequence[Candidate],
    app: str,
    *,
    archive: str | None = None,
    at: datetime | None = None,
    now: datetime | None = None,
) -> Candidate:
    """The newest proven set; with `at` the newest whole one not after it; with `archive` that one. Raises ColocError.

    Without any proven set (the journal was lost) the newest whole one is taken. Of equal ones the first host's. A set
    from the future (a clock was wrong; `now` says how late it is) is the newest only by its name: it comes last.
    """
    ours = [each for each in candidates if each.set.app == app]
    if archive is not None:
        named = [each for each in ours if archive == each.set.run or archive in each.set.archives]
        return _newest(named, f"there is no archive {archive!r} of {app}")
    if not ours:
        raise ColocError(f"there is no archive of {app!r}", hint="list them with `coloc-agent archives`")
    whole = [each for each in ours if each.set.complete and (at is None or each.set.at <= at)]
    proven = [each for each in whole if each.set.proven]
    what = f"there is no whole archive of {app}" + (f" from {at:%Y-%m-%d %H:%M %z} or before" if at else "")
    wanted = whole if at else (proven or whole)
    present = [each for each in wanted if now is None or each.set.at <= now + FUTURE]
    return _newest(present or wanted, what)


def _newest(candidates: Sequence[Candidate], otherwise: str) -> Candidate:
    if not candidates:
        raise ColocError(otherwise, hint="list them with `coloc-agent archives`")
    return max(candidates, key=lambda each: each.set.at)  # max keeps the first of equals


def files_archive_of(candidate: Candidate) -> str:
    """The archive with the files and the manifest. Raises ColocError."""
    for name in candidate.set.archives:
        parsed = parse_archive_name(name)
        if parsed is not None and parsed.is_files:
            return name
    raise ColocError(
        f"run {candidate.set.run} of {candidate.set.app} has no archive of files", hint="choose another with --archive"
    )


def safe_manifest(manifest: Manifest, candidate: Candidate, coloc: str) -> Manifest:
    """The manifest, when it speaks of this very set and of nothing outside its app's own. Raises ColocError."""
    if (manifest.app, manifest.run, manifest.coloc) != (candidate.set.app, candidate.set.run, coloc):
        raise _refused("it belongs to another app or run")
    for folder in manifest.folders:
        for path in (folder.path, folder.resolved):
            _own_path(path.removeprefix("/"), absolute=path)
        _own_member(manifest, folder.member)
    for path in manifest.extra_paths:
        _own_path(path, absolute=f"/{path}")
        # Where coloc.yml and what it names lie is up to people. It comes back beside only: `refuse_own`.
        if not path.startswith("etc/") and manifest.app != OWN:
            raise _refused(f"{path!r} is no setting")
    for database in manifest.databases:
        if database.archive not in candidate.set.archives or not database.end_marker:
            raise _refused(f"the dump of {database.name!r} is not there or not whole")
        _own_member(manifest, database.member)
        if database.kind is DatabaseKind.SQLITE:
            _own_path(database.name.removeprefix("/"), absolute=database.name)
        elif database.kind is DatabaseKind.REDIS:
            if not re.fullmatch(r"[0-9]{1,5}", database.name):
                raise _refused(f"{database.name!r} is no number of a Redis database")
        elif database.name.lower() in SYSTEM_DATABASES or "\0" in database.name:
            raise _refused(f"{database.name!r} is no database of an app")
    return manifest


def refuse_own(app: str) -> None:
    """Raises ColocError for the agent's own configuration, which is not exchanged under the agent that uses it."""
    if app == OWN:
        raise ColocError(
            "the agent's own configuration does not come back over the one in use",
            hint=f"look at it: coloc-agent restore {OWN} --to FOLDER; on a lost server: coloc-agent recover",
        )


def targets_of(manifest: Manifest, wish: Wish) -> tuple[Target, ...]:
    """What of the files archive takes its place again: the outermost folders, then the settings. Raises ColocError."""
    if wish.path:
        return (_target(manifest, locate(manifest, wish.path)),)
    if wish.only is Only.DATABASE:
        return ()
    folders = list(dict.fromkeys(folder.resolved.lstrip("/") for folder in manifest.folders))
    outer = [path for path in folders if not any(path.startswith(f"{other}/") for other in folders)]
    moved = () if manifest.layout is Layout.YUNOHOST else manifest.folders  # it saves no link, only where it leads
    links = [folder.path.lstrip("/") for folder in moved if folder.path != folder.resolved]
    links = [link for link in links if not any(link.startswith(f"{folder}/") for folder in outer)]
    settings = [path for path in manifest.extra_paths if not any(path.startswith(f"{folder}/") for folder in outer)]
    files = (_target(manifest, path) for path in outer)
    return (*files, *(_target(manifest, path, is_setting=True) for path in dict.fromkeys([*links, *settings])))


def _target(manifest: Manifest, path: str, *, is_setting: bool = False) -> Target:
    member = manifest.member_of(path)
    return Target(member, is_setting, "" if member == path else path)


def databases_of(manifest: Manifest, wish: Wish) -> tuple[SavedDatabase, ...]:
    """The databases that come back."""
    if wish.path or wish.only is Only.FILES:
        return ()
    if wish.only is Only.DATABASE and not manifest.databases:
        raise ColocError(f"{manifest.app} has no database in this archive", hint="leave --only database out")
    return manifest.databases


def locate(manifest: Manifest, path: str) -> str:
    """A path that was asked for, as it really lies below the root. Raises ColocError when it is not of the app."""
    if not manifest.folders:
        raise ColocError(f"{manifest.app} has no files in this archive", hint="leave --path out")
    whole = posixpath.normpath(posixpath.join(manifest.folders[0].path, path))
    for folder in manifest.folders:
        for known in (folder.resolved, folder.path):
            if whole == known or whole.startswith(f"{known}/"):
                really = (folder.resolved + whole[len(known) :]).lstrip("/")
                _own_path(really, absolute=f"/{really}")
                return really
    places = ", ".join(folder.path for folder in manifest.folders)
    raise ColocError(f"{path} is not below the folders of {manifest.app}", hint=f"its folders are: {places}")


def units_of(manifest: Manifest, known: Sequence[str]) -> tuple[str, ...]:
    """The units to stop: those of the app as it is, else (the app is gone) those whose files come back."""
    saved = [path.rpartition("/")[2] for path in manifest.extra_paths if path.startswith("etc/systemd/system/")]
    return tuple(known) or tuple(name for name in saved if name.endswith(".service"))


def refuse_when_full(spaces: Sequence[Space]) -> None:
    """Raises ColocError before anything is begun when something does not fit."""
    for space in spaces:
        if not space.fits:
            raise ColocError(
                f"there is not enough room in {space.folder}: {space.needed_bytes} bytes are needed, "
                f"{space.free_bytes} are free",
                hint="free some space, or bring back a part with --only or --path, or elsewhere with --to",
            )


def add_up(needs: Sequence[tuple[str, int]], filesystems: Mapping[str, tuple[int, int]]) -> tuple[Space, ...]:
    """Needs by folder → one line a filesystem. filesystems: folder → (device, free bytes)."""
    total: dict[int, int] = {}
    name: dict[int, str] = {}
    for folder, needed in needs:
        device, _ = filesystems[folder]
        total[device] = total.get(device, 0) + needed
        name.setdefault(device, folder)
    return tuple(Space(name[device], total[device], filesystems[name[device]][1]) for device in total)


def _own_member(manifest: Manifest, member: str) -> None:
    """Raises ColocError for a member outside what YunoHost keeps of this app."""
    if member:
        _own_path(member, absolute=f"/{member}")
        if manifest.layout is Layout.OWN or not member.startswith(f"apps/{manifest.app}/backup/"):
            raise _refused(f"{member[:200]!r} is no place of {manifest.app} in an archive")


def _own_path(path: str, *, absolute: str) -> None:
    parts = path.split("/")
    if not absolute.startswith("/") or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise _refused(f"{absolute[:200]!r} is not a plain path")
    if path in _TOO_BROAD or parts[0] in {"proc", "sys", "dev", "boot", "bin", "sbin", "lib", "lib64"}:
        raise _refused(f"{absolute[:200]!r} is no folder of an app")


def _refused(why: str) -> ColocError:
    return ColocError(f"the archive's manifest is refused: {why}", hint="choose another archive or host")
