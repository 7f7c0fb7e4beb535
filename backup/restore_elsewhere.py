"""`restore --to`: an app's files and dumps into an empty folder; nothing of the app itself is touched or stopped."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from backup.dump_spec import ending_of
from backup.names import slug
from backup.restore_databases import fetch
from backup.restore_files import verify
from backup.restore_plan import refuse_when_full
from backup.restore_prepare import Prepared
from coloc.errors import ColocError


def restore_to(
    prepared: Prepared, folder: Path, *, numeric_ids: bool, on_step: Callable[[str], None] = lambda _: None
) -> None:
    """Extract and compare. Raises ColocError; then nothing is left in the folder."""
    plan, repository = prepared.plan, prepared.repository
    refuse_when_full(plan.spaces)
    made = _empty(folder)
    members = [target.member for target in plan.targets]
    try:
        if members:
            on_step("extract")
            repository.extract(plan.files_archive, folder, paths=members, numeric_ids=numeric_ids)
            on_step("compare")
            verify(repository.items(plan.files_archive), folder, members)
        dumps = folder / "databases"
        if plan.databases:
            _make(dumps)
        for database in plan.databases:
            on_step(f"{database.kind} {database.name}")
            ending = ending_of(database.kind)
            fetch(repository, database, dumps / f"{database.kind}-{slug(database.name)}.{ending}")
    except BaseException as error:
        for entry in list(folder.iterdir()):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        if made:
            folder.rmdir()
        if isinstance(error, OSError):
            raise ColocError(f"{folder} cannot be written: {error.strerror}", hint="nothing is left there") from error
        raise


def _make(dumps: Path) -> None:
    """The private folder of the dumps. Raises ColocError when the archive put something there: it may be a link."""
    try:
        dumps.mkdir(mode=0o700)
    except FileExistsError as error:
        raise ColocError(
            f"the archive holds {dumps.name!r} itself", hint="restore --only files and --only database, one by one"
        ) from error


def require_empty(folder: Path) -> None:
    """Raises ColocError unless the folder is new or empty, and nobody else may put anything into it."""
    hint = "name a new or an empty folder in --to"
    try:
        found = folder.lstat()
    except FileNotFoundError:
        if not folder.parent.is_dir():
            raise ColocError(f"{folder.parent} does not exist", hint="name a folder in one that exists") from None
        return
    except OSError as error:
        raise _unusable(folder, error) from error
    if not stat.S_ISDIR(found.st_mode):
        raise ColocError(f"{folder} is not a folder", hint=hint)
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ColocError(f"others may write in {folder}", hint=f"{hint}; a new one is closed to others")
    try:
        if any(folder.iterdir()):
            raise ColocError(f"{folder} is not empty", hint=hint)
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> ColocError:
    return ColocError(f"{folder} cannot be used: {error.strerror}", hint="name a folder in one that exists")


def _empty(folder: Path) -> bool:
    """Make the folder, or be sure that it is empty. True when it was made. Raises ColocError."""
    require_empty(folder)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    except OSError as error:
        raise _unusable(folder, error) from error
    return True
