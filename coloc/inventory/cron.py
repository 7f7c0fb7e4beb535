"""The cron tables of each app in /etc/cron.d."""

from __future__ import annotations

import re

from coloc.inventory.owners import Owners
from coloc.inventory.tree import Tree

_CRON = "/etc/cron.d"


def cron_by_app(tree: Tree, owners: Owners) -> dict[str, tuple[str, ...]]:
    """App → its cron tables. cron itself leaves out names with a dot, so do we."""
    found: dict[str, list[str]] = {}
    for name in tree.names(_CRON):
        path = f"{_CRON}/{name}"
        if not re.fullmatch(r"[\w-]+", name, re.ASCII) or not tree.is_file(path):
            continue
        named = owners.by_name(name)
        owner = owners.by_checksum(path) or (named if named == name else None) or _by_users(tree, owners, path) or named
        if owner:
            found.setdefault(owner, []).append(path)
    return {app: tuple(paths) for app, paths in found.items()}


def _by_users(tree: Tree, owners: Owners, path: str) -> str | None:
    """The app whose account runs the lines: the sixth word, or the second after `@daily`."""
    for line in tree.text(path).splitlines():
        parts = line.split(None, 6)
        if not parts or parts[0].startswith("#"):
            continue
        place = 1 if parts[0].startswith("@") else 5
        if len(parts) > place and (app := owners.by_user(parts[place])):
            return app
    return None
