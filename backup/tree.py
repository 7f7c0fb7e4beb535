"""The server's files below its root (`--root`, the demo, tests): links are resolved inside it and never lead out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class Tree:
    """A root and what lies below. Paths given and returned are absolute as the server sees them."""

    root: Path

    def on_disk(self, path: str) -> Path:
        """Where a path of the server lies for us."""
        return self.root / path.lstrip("/")

    def is_link(self, path: str) -> bool:
        """True for a symbolic link (its target may be gone)."""
        return self.on_disk(path).is_symlink()

    def resolve(self, path: str) -> str | None:
        """Where a path really lies, all links followed inside the root; None when nothing is there.

        Raises OSError when it cannot be looked at.
        """
        waiting, here, links = list(reversed(_parts(path))), [], 0  # type: tuple[list[str], list[str], int]
        while waiting:
            part = waiting.pop()
            if part == "..":
                del here[-1:]
                continue
            here.append(part)
            disk = self.on_disk("/".join(here))
            if not os.path.lexists(disk):
                return None
            if disk.is_symlink():
                links += 1
                if links > _MAX_LINKS:
                    return None
                target = str(disk.readlink())
                here = [] if target.startswith("/") else here[:-1]
                waiting += reversed(_parts(target))
        return "/" + "/".join(here)

    def source(self, path: str) -> str:
        """The path as Borg wants it: kept in the archive from after the `/./`."""
        return f"{str(self.root).rstrip('/')}/./{path.lstrip('/')}"


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]
