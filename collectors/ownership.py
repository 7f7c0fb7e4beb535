"""Whose process is it? The one app that its unit belongs to, else the app that runs under its user, else nobody's.

Units and users of several apps belong to none of them: a guess would be charged to somebody.
"""

from __future__ import annotations

import pwd
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coloc.model import Colocation

_UNIT_SUFFIXES = (".service", ".scope", ".socket")
_MAX_PASSWD_BYTES = 4 * 1024 * 1024

UserIds = Callable[[Iterable[str]], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Ownership:
    """Which unit and which user is whose. `visible`: apps that have a unit or a user of their own."""

    unit_app: Mapping[str, str]
    uid_app: Mapping[int, str]
    visible: frozenset[str]

    def app_of(self, cgroup: str, uid: int) -> str | None:
        """The app that a process belongs to, or None."""
        return self.unit_app.get(unit_of(cgroup)) or self.uid_app.get(uid)


def ownership(colocation: Colocation, user_ids: UserIds) -> Ownership:
    """Who owns what in a colocation. Root owns no app: what runs as root is told by its unit or not at all."""
    apps = colocation.inventory.apps
    users = {
        app.id: {user for user in (app.user, *(pool.user for pool in app.php_pools)) if user} for app in apps.values()
    }
    ids = user_ids({user for names in users.values() for user in names})
    units_of, uids_of = defaultdict[str, set[str]](set), defaultdict[int, set[str]](set)
    for app in apps.values():
        for unit in app.services:
            units_of[unit if unit.endswith(_UNIT_SUFFIXES) else f"{unit}.service"].add(app.id)
        for user in users[app.id] & ids.keys():
            uids_of[ids[user]].add(app.id)
    uids_of.pop(0, None)
    unit_app = {unit: next(iter(owners)) for unit, owners in units_of.items() if len(owners) == 1}
    uid_app = {uid: next(iter(owners)) for uid, owners in uids_of.items() if len(owners) == 1}
    return Ownership(unit_app, uid_app, frozenset(unit_app.values()) | frozenset(uid_app.values()))


def unit_of(cgroup: str) -> str:
    """The system unit of a cgroup path: its first unit, as what lies deeper may have been named by a user."""
    for part in cgroup.split("/"):
        if part.endswith(_UNIT_SUFFIXES):
            return part
    return ""


def user_ids_below(root: Path) -> UserIds:
    """How names become uids: from the tree's own etc/passwd, and from the system's directory on a live server."""

    def look_up(names: Iterable[str]) -> Mapping[str, int]:
        wanted = set(names)
        try:
            with (root / "etc/passwd").open("rb") as file:
                found = parse_passwd(file.read(_MAX_PASSWD_BYTES))
        except OSError:
            found = {}
        if root == Path("/"):
            found |= {name: uid for name in wanted - found.keys() if (uid := _system_uid(name)) is not None}
        return {name: found[name] for name in wanted & found.keys()}

    return look_up


def parse_passwd(data: bytes) -> dict[str, int]:
    """Names and uids of a passwd file; lines that are something else are passed over."""
    found: dict[str, int] = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        fields = line.split(":")
        if len(fields) >= 4 and fields[2].isascii() and fields[2].isdigit() and len(fields[2]) <= 10:
            found.setdefault(fields[0], int(fields[2]))
    return found


def _system_uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        return None
