"""Two files or folders change places: by the kernel in one step, else by three renames that can be told apart.

What was done is read from the disk by inode, so that a way back is right after any crash.
"""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
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
        """Change places (or move in, when nothing is there). Raises OSError."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(self.target):
            self.new.rename(self.target)
        elif not _exchange(self.new, self.target):
            self.target.rename(self._aside)
            self.new.rename(self.target)
            self._aside.rename(self.new)
        _sync(self.target.parent, self.new.parent)

    def undo(self) -> None:
        """As it was before `do`, however far that came. Raises OSError."""
        if os.path.lexists(self._aside):
            if os.path.lexists(self.target):
                self.target.rename(self.new)
            self._aside.rename(self.target)
        elif identity_of(self.target) == self.identity:
            if not os.path.lexists(self.new):
                self.target.rename(self.new)
            elif not _exchange(self.new, self.target):
                self.new.rename(self._aside)
                self.target.rename(self.new)
                self._aside.rename(self.target)
        else:
            return
        _sync(self.target.parent, self.new.parent)


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
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
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
