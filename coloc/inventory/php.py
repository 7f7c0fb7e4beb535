"""The php-fpm pools of each app: all pools of one PHP version share a service, so the account tells them apart."""

from __future__ import annotations

import re

from coloc.inventory.owners import Owners
from coloc.inventory.settings import as_text
from coloc.inventory.tree import Tree
from coloc.model import PhpPool

_PHP = "/etc/php"


def pools_by_app(tree: Tree, owners: Owners) -> dict[str, tuple[PhpPool, ...]]:
    """App → its pools, in the order of their files."""
    found: dict[str, list[PhpPool]] = {}
    for version in tree.names(_PHP):
        folder = f"{_PHP}/{version}/fpm/pool.d"
        for name in tree.names(folder):
            path = f"{folder}/{name}"
            if not name.endswith(".conf") or not tree.is_file(path):
                continue
            for pool in parse_pools(path, tree.text(path)):
                stem = name.removesuffix(".conf")
                owner = owners.by_checksum(path) or owners.by_user(pool.user) or owners.by_name(stem)
                if owner:
                    found.setdefault(owner, []).append(pool)
    return {app: tuple(pools) for app, pools in found.items()}


def parse_pools(path: str, text: str) -> list[PhpPool]:
    """The pools of one file; `[global]` is none."""
    pools: list[tuple[str, str | None]] = []
    for raw in text.splitlines():
        line = raw.split(";", 1)[0].strip()
        if line.startswith("[") and line.endswith("]"):
            pools.append((line[1:-1].strip(), None))
        elif pools and (match := re.fullmatch(r"user\s*=\s*\"?([\w.$-]{1,100})\"?", line)):
            user = match[1].replace("$pool", pools[-1][0])
            pools[-1] = (pools[-1][0], user)
    return [PhpPool(path, name, user) for name, user in pools if name != "global" and as_text(name)]


def version_of(pools: tuple[PhpPool, ...]) -> str | None:
    """The PHP version in which the first pool lies."""
    return pools[0].file.split("/")[3] if pools else None
