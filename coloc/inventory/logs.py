"""The folders of an app's logs: told by services.yml and logrotate, else /var/log/<app>."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from coloc.inventory.tree import Tree

# Everybody's logs: no app may claim them.
_SHARED = {"/", "/var/log", "/var/log/nginx", "/var/log/mysql", "/var/log/postgresql", "/var/log/redis", "/tmp"}  # noqa: S108

_MAX_PATHS = 100


def log_dirs(tree: Tree, app: str, declared: Iterable[str]) -> tuple[str, ...]:
    """`declared`: the log paths that the app's services name, files or folders."""
    folders = {_folder_of(tree, path) for path in [*declared, *_rotated(tree.text(f"/etc/logrotate.d/{app}"))]}
    if tree.is_folder(f"/var/log/{app}"):
        folders.add(f"/var/log/{app}")
    return tuple(sorted(folder for folder in folders if folder not in _SHARED))


def _folder_of(tree: Tree, path: str) -> str:
    clean = "/" + "/".join(part for part in path.split("/") if part not in ("", ".", ".."))
    if tree.is_folder(clean) or (path.endswith("/") and not tree.is_file(clean)):
        return clean
    parent = PurePosixPath(clean).parent
    while "*" in str(parent):
        parent = parent.parent
    return str(parent)


def _rotated(text: str) -> list[str]:
    """The paths at the head of each block of a logrotate file."""
    # Not \s: that runs over line ends, and takes hours on a file of empty lines.
    outside = re.sub(r"\{[^{}]*\}", "\n", re.sub(r"(?m)^[ \t]*#.*$", "", text))
    words = [word.strip("\"'") for word in outside.split()]
    return [word for word in words if word.startswith("/")][:_MAX_PATHS]
