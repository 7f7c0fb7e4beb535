"""Paths of apps as the server names them, found below the root that the agent looks at. Links stay inside that root."""

from __future__ import annotations

import os
from pathlib import Path

_MOST_LINKS = 40


def below(root: Path, path: str) -> Path:
    """Where `path` (absolute on the server) lies below `root`, each link followed as if `root` were /."""
    if root == Path("/"):
        return Path(os.path.realpath(path))
    here, parts, links = root, [part for part in reversed(Path(path).parts) if part != "/"], 0
    while parts:
        part = parts.pop()
        if part == "..":
            here = here.parent if here != root else root
            continue
        here = here / part
        if os.path.islink(here) and links < _MOST_LINKS:  # noqa: PTH114 - pathlib's raises where we are refused
            links += 1
            target = here.readlink()
            here = root if target.is_absolute() else here.parent
            parts += [part for part in reversed(target.parts) if part != "/"]
    return here
