"""From what was asked to a plan: asks the hosts for their sets, reads the manifest, looks at the list, measures room.

Nothing of the app is touched here, and nothing is extracted but the manifest.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backup.borg import Repository
from backup.hosts import hosts_named, open_known, open_repository
from backup.journal import Journal
from backup.manifest import MANIFEST, MAX_BYTES, Manifest, SavedDatabase, parse_manifest
from backup.prune import sets_of
from backup.restore_domain import moved_targets, require_domain
from backup.restore_files import Listed, survey
from backup.restore_plan import (
    Candidate,
    RestorePlan,
    Space,
    Target,
    Wish,
    add_up,
    choose,
    databases_of,
    files_archive_of,
    refuse_own,
    safe_manifest,
    targets_of,
    units_of,
)
from backup.tree import Tree
from coloc.command import Run, run
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.model import App, DatabaseKind
from coloc.services import full_name
from coloc.times import now_utc

_DATA_FOLDERS = {
    DatabaseKind.REDIS: "/var/lib/redis",
    DatabaseKind.MYSQL: "/var/lib/mysql",
    DatabaseKind.POSTGRESQL: "/var/lib/postgresql",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target lies on the disk, and the folder beside it (same filesystem) that staging is made in."""

    target: Target
    path: Path
    beside: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what carrying it out needs."""

    plan: RestorePlan
    repository: Repository
    listed: Listed
    places: tuple[Place, ...]


def prepare(
    config: Config,
    app: App | None,
    wish: Wish,
    journal: Journal,
    *,
    hosts: Sequence[str] = (),
    archive: str | None = None,
    at: datetime | None = None,
    elsewhere: Path | None = None,
    run: Run = run,
) -> Prepared:
    """Decide what would be done. Raises ColocError with one sentence."""
    if elsewhere is None:
        refuse_own(wish.app)
    candidates, problems = find_candidates(config, wish.app, journal, hosts=hosts, run=run)
    if not candidates and app is None:
        raise ColocError(f"there is no app {wish.app!r}, here or in an archive", hint="see `coloc-agent apps`")
    chosen = choose(candidates, wish.app, archive=archive, at=at, now=now_utc())
    repository = open_repository(config, chosen.host, run=run)
    files_archive = files_archive_of(chosen)
    manifest = safe_manifest(read_manifest(repository, files_archive), chosen, config.coloc.name)
    targets, databases = targets_of(manifest, wish), databases_of(manifest, wish)
    old_domain = require_domain(manifest, wish.domain) if wish.domain else ""
    if old_domain:
        targets = moved_targets(targets, old_domain, wish.domain)
    listed = survey(repository.items(files_archive), [target.member for target in targets])
    targets = _those_saved(targets, listed, wish)
    places = tuple(_place(Tree(config.root), manifest, target) for target in targets) if elsewhere is None else ()
    needs = (
        needs_of(config, manifest, databases, listed, places)
        if elsewhere is None
        else [(str(nearest(elsewhere)), sum(listed.bytes_of.values()) + sum(each.bytes for each in databases))]
    )
    units = tuple(full_name(unit) for unit in units_of(manifest, app.services if app else ()))
    notes = list(problems)
    if not chosen.set.proven:
        notes.append("this set was never proven, as far as the journal knows")
    plan = RestorePlan(
        wish,
        chosen,
        files_archive,
        manifest,
        targets,
        databases,
        units,
        spaces_of(needs),
        tuple(notes),
        old_domain,
    )
    return Prepared(plan, repository, listed, places)


def find_candidates(
    config: Config, app: str, journal: Journal, *, hosts: Sequence[str], run: Run = run
) -> tuple[list[Candidate], list[str]]:
    """The sets of an app on every host that answers. Raises the first host's error when none does."""
    found: list[Candidate] = []
    errors: list[ColocError] = []
    names = hosts_named(config, hosts)
    for name in names:
        try:
            found += candidates_of(config, name, journal, app, run=run)
        except ColocError as error:
            errors.append(error)
    if errors and len(errors) == len(names):
        raise errors[0]
    return found, [error.sentence() for error in errors]


def candidates_of(config: Config, host: str, journal: Journal, app: str = "", *, run: Run = run) -> list[Candidate]:
    """The sets of an app, or of all, on one host. Raises ColocError."""
    (config.paths.journal / "borg").mkdir(parents=True, exist_ok=True, mode=0o700)
    listed = open_known(open_repository(config, host, run=run, lock_wait=30), journal).archives
    sets = sets_of(config.coloc.name, [each.name for each in listed], journal.proven(host))
    return [Candidate(host, each) for each in sets if app in {"", each.app}]


def read_manifest(repository: Repository, archive: str) -> Manifest:
    """The manifest of an archive of files. Raises ColocError."""
    with tempfile.TemporaryDirectory(prefix="coloc-manifest-") as folder:
        file = Path(folder) / MANIFEST
        repository.extract_member(archive, MANIFEST, file, timeout=3600)
        with file.open("rb") as opened:
            return parse_manifest(opened.read(MAX_BYTES + 1))


def folder_on_disk(tree: Tree, member: str) -> Path:
    """Where a member lies for us: links above it are followed inside the root, itself never. Raises ColocError."""
    parent, _, name = f"/{member}".rpartition("/")
    resolved = tree.resolve(parent or "/")
    folder = tree.on_disk(parent if resolved is None else resolved)
    return Path(os.path.realpath(folder)) / name  # the root itself may be reached through a link


def within_app(tree: Tree, manifest: Manifest, member: str) -> Path:
    """Where something of an app's folders lies for us. Raises ColocError when a link there leads out of that folder."""
    path = folder_on_disk(tree, member)
    for folder in manifest.folders:
        top = folder.resolved.lstrip("/")
        if member.startswith(f"{top}/") and not path.is_relative_to(folder_on_disk(tree, top)):
            raise ColocError(
                f"/{member} leads out of {folder.path} through a link, to {path}",
                hint="who put the link there? remove it, or restore with --to",
            )
    return path


def database_file(tree: Tree, manifest: Manifest, database: SavedDatabase) -> Path:
    """Where an SQLite file lies for us, through the folder that it was saved with. Raises ColocError."""
    for folder in manifest.folders:
        if database.name.startswith(f"{folder.path}/"):
            member = folder.resolved + database.name[len(folder.path) :]
            return within_app(tree, manifest, member.lstrip("/"))
    return within_app(tree, manifest, database.name.lstrip("/"))


def nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not path.is_dir():
        path = path.parent
    return path


def _those_saved(targets: Sequence[Target], listed: Listed, wish: Wish) -> tuple[Target, ...]:
    missing = [target for target in targets if target.member not in listed.bytes_of]
    if wish.path and missing:
        raise ColocError(f"/{missing[0].path} is not in this archive", hint="choose another with --at or --archive")
    lost = [target for target in missing if not target.is_setting]
    if lost:
        raise ColocError(f"/{lost[0].path} is not in this archive", hint="choose another with --at or --archive")
    return tuple(target for target in targets if target.member in listed.bytes_of)


def _place(tree: Tree, manifest: Manifest, target: Target) -> Place:
    path = within_app(tree, manifest, target.path)
    if path.is_mount():
        raise ColocError(f"{path} is a mount point and cannot be exchanged", hint="restore with --to, or unmount it")
    beside = Path(os.path.realpath(tree.on_disk("/etc"))) if target.path.startswith("etc/") else path.parent
    for folder in manifest.folders:
        if target.path.startswith(f"{folder.resolved.lstrip('/')}/"):
            beside = folder_on_disk(tree, folder.resolved.lstrip("/")).parent
    here = nearest(path.parent)
    if nearest(beside).stat().st_dev != here.stat().st_dev:
        beside = here
    return Place(target, path, beside)


def needs_of(
    config: Config, manifest: Manifest, databases: Sequence[SavedDatabase], listed: Listed, places: Sequence[Place]
) -> list[tuple[str, int]]:
    """(folder, bytes) of everything that is written before something is given back."""
    needs = [(str(nearest(place.beside)), listed.bytes_of.get(place.target.member, 0)) for place in places]
    for database in databases:
        if database.kind is DatabaseKind.SQLITE:
            path = database_file(Tree(config.root), manifest, database)
            needs.append((str(nearest(path.parent)), database.bytes))
        else:
            needs.append((str(nearest(config.paths.journal)), database.bytes))  # one dump after the other, at most
            needs.append((str(nearest(Path(_DATA_FOLDERS[database.kind]))), 2 * database.bytes))
    return needs


def spaces_of(needs: list[tuple[str, int]]) -> tuple[Space, ...]:
    """Needs by folder, and what is free there, one line a filesystem."""
    filesystems = {}
    for folder, _ in needs:
        stat = os.statvfs(folder)
        free = stat.f_bavail if os.geteuid() else stat.f_bfree
        filesystems[folder] = (Path(folder).stat().st_dev, free * stat.f_frsize)
    return tuple(space for space in add_up(needs, filesystems) if space.needed_bytes)
