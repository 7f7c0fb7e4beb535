"""Two files or folders change places: by the kernel in one step, else by three renames that can be told apart.

What was done is read from the disk by inode, so that a way back is right after any crash.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coloc.errors import ColocError

_RENAME_EXCHANGE = 2
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class Exchange:
    """`new` takes the place of `target`; `identity`: device and inode of what is new."""

    new: Path
    target: Path
    identity: tuple[int, int]

    @property
    def _aside(self) -> Path:
        return self.new.with_name(f"{self.new.name}.coloc-aside")

    @property
    def has_replaced(self) -> bool:
        """True while what the target was lies beside it."""
        return os.path.lexists(self.new) or os.path.lexists(self._aside)

    def do(self) -> None:
        """Change places (or move in, when nothing is there). Raises OSError or ColocError."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(self.target):
            rename(self.new, self.target)
        elif not _exchange(self.new, self.target):
            rename(self.target, self._aside)
            rename(self.new, self.target)
            rename(self._aside, self.new)
        _sync(self.target.parent, self.new.parent)

    def undo(self) -> None:
        """As it was before `do`, however far that came. Raises OSError or ColocError."""
        if os.path.lexists(self._aside):
            if os.path.lexists(self.target):
                rename(self.target, self.new)
            rename(self._aside, self.target)
        elif identity_of(self.target) == self.identity:
            if not os.path.lexists(self.new):
                rename(self.target, self.new)
            elif not _exchange(self.new, self.target):
                rename(self.new, self._aside)
                rename(self.target, self.new)
                rename(self._aside, self.target)
        else:
            return
        _sync(self.target.parent, self.new.parent)


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """A folder as a descriptor that is really where its path says, with no link on the way, and stays that folder.

    An app may put a link where a folder of its own was: what is done as root must not follow it out. Raises OSError,
    and ColocError for a link.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if str(Path(f"/proc/self/fd/{descriptor}").readlink()) != str(folder):
            raise ColocError(
                f"there is a link on the way to {folder}", hint="who put it there? remove it, or restore with --to"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Rename, through no link. Raises OSError or ColocError."""
    with held(source.parent) as here, held(target.parent) as there:
        os.rename(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of a path itself, None when nothing is there."""
    try:
        stat = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_dev, stat.st_ino


def _exchange(one: Path, other: Path) -> bool:
    """True when done, False where the filesystem cannot. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    with held(one.parent) as here, held(other.parent) as there:
        if libc.renameat2(here, os.fsencode(one.name), there, os.fsencode(other.name), _RENAME_EXCHANGE) == 0:
            return True
        number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _sync(*folders: Path) -> None:
    for folder in dict.fromkeys(folders):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
