"""Disaster day, first part: the agent's configuration, from one backup host and what the recovery sheet says.

Nothing that is there is written over: a file that differs stays, and is told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from backup.borg import Repository
from backup.names import OWN
from backup.own_config import named_files, secrets_of
from backup.restore_borrowed import colocs_in
from backup.restore_files import survey, verify
from backup.restore_plan import Candidate, files_archive_of
from backup.restore_prepare import read_manifest
from coloc.config.backups import BackupHost
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.errors import ColocError

_MAX_FILES, _MAX_BYTES = 1000, 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """The configuration as it was saved, and its files by the paths that they had."""

    config: Config
    files: dict[Path, bytes]


def the_coloc(archives: list[str], wanted: str) -> str:
    """Whose archives to take. Raises ColocError when that has to be said."""
    found = colocs_in(archives)
    if wanted in found:
        return wanted
    if wanted or len(found) != 1:
        names = ", ".join(found) or "none"
        raise ColocError(
            f"the repository holds archives of {len(found)} colocations: {names}", hint="name one: --coloc"
        )
    return found[0]


def own_set(candidates: list[Candidate]) -> Candidate | None:
    """The newest whole set of the agent's own configuration."""
    ours = [each for each in candidates if each.set.app == OWN and each.set.complete]
    return max(ours, key=lambda each: each.set.at, default=None)


def fetch_config(repository: Repository, chosen: Candidate, scratch: Path, name: str) -> Fetched:
    """Extract it into a scratch folder and read it. name: of coloc.yml, as the file is called. Raises ColocError."""
    archive = files_archive_of(chosen)
    manifest = read_manifest(repository, archive)
    if manifest.app != OWN:
        raise ColocError(f"{archive} is not what its name says", hint="take another host")
    members = [path for path in manifest.extra_paths if not {"", ".", ".."} & set(path.split("/"))]
    items = list(repository.items(archive, members))
    listed = survey(items, members)
    if listed.items > _MAX_FILES or sum(listed.bytes_of.values()) > _MAX_BYTES:
        raise ColocError(f"{archive} is far too large for a configuration", hint="look at it with borg list")
    if any(item.type != "-" for item in items):
        raise ColocError(f"{archive} holds more than files", hint="it was not written by coloc-agent; look at it")
    repository.extract(archive, scratch, paths=members, numeric_ids=True)
    verify(items, scratch, members)
    files = {Path("/") / member: (scratch / member).read_bytes() for member in members}
    first = members[0] if members else ""
    if not first.endswith((".yml", ".yaml")):
        raise ColocError(f"{archive} holds no coloc.yml", hint="write one: coloc-agent init, then run it again")
    return Fetched(parse_config(files[Path("/") / first], name), files)


class Put(StrEnum):
    """What became of one file."""

    WRITTEN = "written"
    SAME = "there already"
    KEPT = "another one is there, and stays"
    MISSING = "missing: take it from the recovery sheet"


def put_back(fetched: Fetched, config_file: Path, host: BackupHost, place: str) -> Iterator[tuple[Path, Put]]:
    """Write what is missing: coloc.yml, its files, and for this host what the sheet gave. Tells each."""
    first = next(iter(fetched.files))
    wanted = {config_file: fetched.files[first]}
    named = set(named_files(fetched.config)) | {first}
    wanted |= {path: content for path, content in fetched.files.items() if path in named and path != first}
    wanted |= dict(_given(fetched.config, host, place))
    for path, content in wanted.items():
        yield path, _put(path, content)
    for path in sorted(secrets_of(fetched.config) - set(wanted)):
        if not path.exists():
            yield path, Put.MISSING


def _given(config: Config, given: BackupHost, place: str) -> Iterator[tuple[Path, bytes]]:
    """What opened the repository, under the names that coloc.yml has for it."""
    for host in config.backup.hosts.values():
        if host.repository != place:
            continue
        pairs = (
            (host.passphrase_file or config.backup.passphrase_file, given.passphrase_file),
            (host.key_file, given.key_file),
        )
        for to, source in pairs:
            if to and source:
                yield to, source.read_bytes()


def _put(path: Path, content: bytes) -> Put:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        same = path.is_file() and path.read_bytes() == content
        return Put.SAME if same else Put.KEPT
    except OSError as error:
        raise ColocError(f"{path} cannot be written: {error.strerror}", hint="run it as root") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Put.WRITTEN
