"""The php-fpm pools of each app: all pools of one PHP version share a service, so the account tells them apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

from coloc.inventory.owners import Owners
from coloc.inventory.settings import as_text
from coloc.inventory.tree import Tree
from coloc.model import PhpPool

_PHP = "/etc/php"
_LINE = re.compile(r"(user|listen|pm\.max_children)\s*=\s*\"?([^\s\"][^\"]{0,199})\"?")
_USER = re.compile(r"[\w.$-]{1,100}")


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
    """The pools of one file; `[global]` is none. The last of two lines with the same key counts, as for php-fpm."""
    pools: list[tuple[str, dict[str, str]]] = []
    for raw in text.splitlines():
        line = raw.split(";", 1)[0].strip()
        if line.startswith("[") and line.endswith("]"):
            pools.append((line[1:-1].strip(), {}))
        elif pools and (match := _LINE.fullmatch(line)):
            pools[-1][1][match[1]] = match[2]
    return [_pool(path, name, values) for name, values in pools if name != "global" and as_text(name)]


def _pool(path: str, name: str, values: Mapping[str, str]) -> PhpPool:
    user, listen = values.get("user"), values.get("listen")
    most = values.get("pm.max_children", "")
    return PhpPool(
        path,
        name,
        user.replace("$pool", name) if user and _USER.fullmatch(user) else None,
        as_text(listen.replace("$pool", name)) if listen else None,
        int(most) if most.isascii() and most.isdigit() and len(most) < 7 else None,
    )


def version_of(pools: tuple[PhpPool, ...]) -> str | None:
    """The PHP version in which the first pool lies."""
    return pools[0].file.split("/")[3] if pools else None
