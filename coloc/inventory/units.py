"""Which systemd units, php pools and cron files belong to which app. Names alone are not trusted: `wordpress__2`.

The order of trust for a unit: the checksum that the app's settings keep of it, its user, what it runs, its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coloc.inventory.root import Root
from coloc.model import PhpPool

SYSTEMD = "/etc/systemd/system"
_SUFFIXES = (".service", ".timer", ".path", ".socket")
_SHARED_USERS = {"root", "www-data", "nobody"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of an app when units are given out."""

    id: str
    user: str | None
    install_dir: str | None
    checksums: frozenset[str]  # the keys of its settings, without "checksum_"


def checksum_name(path: str) -> str:
    """How settings.yml names a file: slashes and blanks become underscores."""
    return path.replace("/", "_").replace(" ", "_")


def owner_by_name(name: str, ids: Mapping[str, Candidate]) -> str | None:
    """The longest app id that `name` is, or begins with before a `-`, `_`, `@` or `.`."""
    best = ""
    for app_id in ids:
        begins = name == app_id or (name.startswith(app_id) and name[len(app_id)] in "-_@.")
        if begins and len(app_id) > len(best):
            best = app_id
    return best or None


def units_of(root: Root, apps: Mapping[str, Candidate]) -> dict[str, tuple[str, ...]]:
    """The names of each app's units, without `.service`."""
    found: dict[str, set[str]] = {}
    for file in root.names(SYSTEMD):
        path = f"{SYSTEMD}/{file}"
        if not file.endswith(_SUFFIXES) or not root.is_file(path):
            continue
        owner = _owner(path, file, root.text(path), apps)
        if owner is not None:
            found.setdefault(owner, set()).add(file.rsplit(".", 1)[0])
    return {app_id: tuple(sorted(names)) for app_id, names in found.items()}


def _owner(path: str, file: str, text: str, apps: Mapping[str, Candidate]) -> str | None:
    key = checksum_name(path)
    owners = [app_id for app_id, app in apps.items() if key in app.checksums]
    if len(owners) == 1:
        return owners[0]
    values = dict(_assignments(text))
    user = values.get("User", "")
    if user and user not in _SHARED_USERS:
        owners = [app_id for app_id, app in apps.items() if app.user == user]
        if len(owners) == 1:
            return owners[0]
    homes = sorted(
        ((app.install_dir, app_id) for app_id, app in apps.items() if app.install_dir),
        key=lambda pair: -len(pair[0] or ""),
    )
    for home, app_id in homes:
        if any(_is_under(values.get(name, ""), str(home)) for name in ("WorkingDirectory", "ExecStart")):
            return app_id
    return owner_by_name(file.rsplit(".", 1)[0], apps)


def _is_under(command: str, folder: str) -> bool:
    word = command.lstrip("-@:+!").split(" ", 1)[0].strip('"')
    return word == folder or word.startswith(f"{folder.rstrip('/')}/")


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            yield name.strip(), value.strip()


def pools(root: Root) -> list[PhpPool]:
    """Every php-fpm pool of every version, in the order of their files."""
    found = []
    for version in root.names("/etc/php"):
        folder = f"/etc/php/{version}/fpm/pool.d"
        for file in root.names(folder):
            if file.endswith(".conf"):
                found += list(_pools_in(f"{folder}/{file}", root.text(f"{folder}/{file}")))
    return found


def _pools_in(path: str, text: str) -> Iterator[PhpPool]:
    name, user = "", None
    for line in [*text.splitlines(), "[]"]:
        head = re.match(r"\s*\[([^\]]*)\]", line)
        if head:
            if name and name != "global":
                yield PhpPool(path, name, user)
            name, user = head[1].strip(), None
        elif match := re.match(r"\s*user\s*=\s*([^\s;]+)", line):
            user = match[1].strip("\"'")


def owner_of_pool(pool: PhpPool, apps: Mapping[str, Candidate]) -> str | None:
    """The app whose file, user or name a pool bears."""
    key = checksum_name(pool.file)
    for app_id, app in apps.items():
        if key in app.checksums:
            return app_id
    if pool.user and pool.user not in _SHARED_USERS:
        for app_id, app in apps.items():
            if app.user == pool.user:
                return app_id
    return pool.pool if pool.pool in apps else None


def cron_files(root: Root, apps: Mapping[str, Candidate]) -> dict[str, tuple[str, ...]]:
    """The files of /etc/cron.d that are an app's: by checksum, by name, or by the user of every job in them."""
    found: dict[str, set[str]] = {}
    for file in root.names("/etc/cron.d"):
        path = f"/etc/cron.d/{file}"
        if file.startswith(".") or not root.is_file(path):
            continue
        key = checksum_name(path)
        owners = [app_id for app_id, app in apps.items() if key in app.checksums]
        owner = owners[0] if owners else owner_by_name(file, apps) or _cron_user(root.text(path), apps)
        if owner:
            found.setdefault(owner, set()).add(path)
    return {app_id: tuple(sorted(paths)) for app_id, paths in found.items()}


def _cron_user(text: str, apps: Mapping[str, Candidate]) -> str | None:
    users = set()
    for line in text.splitlines():
        words = line.split()
        if not words or line.lstrip().startswith("#") or re.match(r"\s*\w+\s*=", line):
            continue
        place = 1 if words[0].startswith("@") else 5
        users.add(words[place] if len(words) > place else "")
    if len(users) != 1:
        return None
    owners = [app_id for app_id, app in apps.items() if app.user in users]
    return owners[0] if len(owners) == 1 else None
