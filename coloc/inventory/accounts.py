"""The system accounts in the etc/passwd of the tree that is read, never the host's, and which one is an app's."""

from __future__ import annotations

from collections.abc import Iterable

from coloc.inventory.entries import Entry
from coloc.inventory.tree import Tree
from coloc.inventory.units import unit_users
from coloc.model import PhpPool

# Accounts of everybody: counting their processes as one app's would be wrong.
_SHARED = {"root", "www-data", "nobody", "daemon", "mysql", "postgres", "redis", "turnserver"}


def read_accounts(tree: Tree) -> frozenset[str]:
    """The names in etc/passwd."""
    lines = tree.text("/etc/passwd").splitlines()
    return frozenset(line.split(":", 1)[0] for line in lines if line.count(":") >= 6)


def account_of(
    tree: Tree, entry: Entry, accounts: frozenset[str], units: Iterable[str], pools: Iterable[PhpPool]
) -> str | None:
    """YunoHost names an app's account after it; packages of format 1 chose freely."""
    if entry.id in accounts:
        return entry.id
    if entry.manifest.packaging_version == 1:
        named = [user for unit in units for user in unit_users(tree, unit)] + [pool.user for pool in pools]
        for user in named:
            if user in accounts and user not in _SHARED:
                return user
    return None
