"""Notices an app that holds far less than at its last good backup: a disk not mounted, a folder that was emptied.

Borg saves an empty folder without a word; kept as a success it would age the good archives out. Decides, saves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coloc.errors import ColocError

_FEW_FILES, _FEW_BYTES = 20, 10_000_000  # below these a change means little
_PART = 10  # less than a tenth is left
_MAX_LOOKS = 100_000


class Shrunk(ColocError):
    """What was saved may be whole, and is far less than there was."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an app's archive of files held. folders: those of the app that had any file."""

    folders: frozenset[str]
    files: int
    bytes: int


def refuse_shrunk(app: str, before: Contents | None, now: Contents, folders: Sequence[str]) -> None:
    """Raises Shrunk when a folder of the app lost all its files, or the app nearly all of them."""
    if before is None:
        return
    hint = f"is a disk not mounted? if it is meant to be so: coloc-agent backup --shrunk {app}"
    for folder in folders:
        if folder in before.folders and folder not in now.folders:
            raise Shrunk(f"{app}: {folder} is empty, and held files at the last good backup", hint=hint)
    lost_files = before.files >= _FEW_FILES and now.files * _PART < before.files
    lost_bytes = before.bytes >= _FEW_BYTES and now.bytes * _PART < before.bytes
    if lost_files or lost_bytes:
        told = f"{now.files} files, {now.bytes} bytes; at the last good backup {before.files}, {before.bytes}"
        raise Shrunk(f"{app}: far less is left than there was: {told}", hint=hint)


def has_files(folder: Path) -> bool:
    """True when anything but folders lies below; `lost+found` does not count. Stops at the first. Never raises.

    What cannot be looked at, or has folders without end, counts as full: Borg says by itself what it cannot read.
    """
    looks = 0
    failed: list[OSError] = []
    for _, names, files in os.walk(folder, onerror=failed.append):
        if files or failed:
            return True
        names[:] = [name for name in names if name != "lost+found"]
        looks += len(names)
        if looks > _MAX_LOOKS:
            return True
    return bool(failed)
