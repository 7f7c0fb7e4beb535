"""`restore --to`: an app's files and dumps into an empty folder; nothing of the app itself is touched or stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from backup.names import slug
from backup.restore_databases import fetch
from backup.restore_files import verify
from backup.restore_plan import refuse_when_full
from backup.restore_prepare import Prepared
from coloc.errors import ColocError
from coloc.model import DatabaseKind


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
        for database in plan.databases:
            on_step(f"{database.kind} {database.name}")
            ending = "sqlite" if database.kind is DatabaseKind.SQLITE else "sql"
            dumps = folder / "databases"
            dumps.mkdir(mode=0o700, exist_ok=True)
            fetch(repository, database, dumps / f"{database.kind}-{slug(database.name)}.{ending}")
    except BaseException as error:
        for entry in list(folder.iterdir()):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        if made:
            folder.rmdir()
        if isinstance(error, OSError):
            raise ColocError(f"{folder} cannot be written: {error.strerror}", hint="nothing is left there") from error
        raise


def _empty(folder: Path) -> bool:
    """Make the folder, or be sure that it is empty. True when it was made. Raises ColocError."""
    try:
        if folder.is_dir():
            if any(folder.iterdir()):
                raise ColocError(f"{folder} is not empty", hint="name a new or an empty folder in --to")
            return False
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ColocError(
            f"{folder} cannot be used: {error.strerror}", hint="name a folder in one that exists"
        ) from error
    return True
