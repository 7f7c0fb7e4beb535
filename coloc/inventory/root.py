"""Reads files below a root as if it were `/`: links stay inside, nothing blocks, nothing is endless."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path

_MOST_LINKS = 40
_MOST_ENTRIES = 20_000
MAX_BYTES = 1024 * 1024

Fingerprint = tuple[int, int, int]  # mtime in nanoseconds, size, inode


class Root:
    """A server's file tree. Paths are strings as the server sees them: absolute, `/`-separated."""

    def __init__(self, folder: Path = Path("/")) -> None:
        self.folder = Path(os.path.realpath(folder))
        self._is_host = self.folder == Path("/")

    def place(self, path: str) -> Path:
        """Where `path` lies on this machine, every link followed inside the root. Raises OSError for a loop."""
        if self._is_host:
            return Path(path)
        here: list[str] = []
        ahead = [part for part in reversed(path.split("/")) if part not in {"", "."}]
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                del here[-1:]
                continue
            step = self.folder.joinpath(*here, part)
            try:
                target = step.readlink()
            except OSError as error:
                if error.errno not in {errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
                    raise
                here.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.is_absolute():
                here = []
            ahead += [piece for piece in reversed(target.parts) if piece not in {"/", "."}]
        return self.folder.joinpath(*here)

    def read(self, path: str, *, limit: int = MAX_BYTES) -> bytes:
        """A regular file's bytes. Raises OSError: also for what is no file (a FIFO would block) or is too large."""
        descriptor = os.open(self.place(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            data = file.read(limit + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, "larger than it can be", path)
        return data

    def text(self, path: str) -> str:
        """The same as text; "" when it cannot be read. Bytes that are not UTF-8 are replaced."""
        try:
            return self.read(path).decode("utf-8", "replace")
        except (OSError, ValueError):
            return ""

    def names(self, path: str) -> list[str]:
        """What a folder holds, sorted; nothing when it is missing or closed. Names that are no text are left out."""
        try:
            with os.scandir(self.place(path)) as entries:
                found = [entry.name for entry in islice(entries, _MOST_ENTRIES)]
        except (OSError, ValueError):
            return []
        return sorted(name for name in found if name.isprintable())

    def is_folder(self, path: str) -> bool:
        """True for a folder, or a link to one."""
        try:
            return self.place(path).is_dir()
        except (OSError, ValueError):
            return False

    def is_file(self, path: str) -> bool:
        """True for a regular file, or a link to one."""
        try:
            return self.place(path).is_file()
        except (OSError, ValueError):
            return False

    def fingerprint(self, path: str) -> Fingerprint | None:
        """What changes when a file or folder does; None when there is nothing."""
        with suppress(OSError, ValueError):
            found = self.place(path).stat()
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None
