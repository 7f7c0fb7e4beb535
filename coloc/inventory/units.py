"""The systemd units of each app, and the services that YunoHost was told of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from coloc.inventory.documents import Document, parse_yaml, read_document
from coloc.inventory.owners import Owners
from coloc.inventory.settings import as_text, words
from coloc.inventory.tree import Tree, Unreadable

_UNITS = "/etc/systemd/system"
_LOCAL = "/etc/yunohost/services.yml"
_BASE = "/usr/share/yunohost/conf/yunohost/services.yml"
_PATHS = re.compile(r"(?:^|[\s=\"'])[-@:+!]*(/[^\s\"';]+)")

_MAX_PATHS = 50


def units_by_app(tree: Tree, owners: Owners) -> dict[str, tuple[str, ...]]:
    """App → names of its services, without `.service`."""
    found: dict[str, list[str]] = {}
    names = tree.names(_UNITS)
    for name in names:
        unit, _, suffix = name.rpartition(".")
        if suffix != "service" or not unit or not tree.is_file(f"{_UNITS}/{name}"):
            continue
        owner = _owner(tree, owners, unit, [other for other in names if other.rpartition(".")[0] == unit])
        if owner:
            found.setdefault(owner, []).append(unit)
    return {app: tuple(sorted(units)) for app, units in found.items()}


def _owner(tree: Tree, owners: Owners, unit: str, files: list[str]) -> str | None:
    # A timer or a path unit of the same name may be the only one that bears a checksum.
    for file in sorted(files, key=lambda name: not name.endswith(".service")):
        if app := owners.by_checksum(f"{_UNITS}/{file}"):
            return app
    where = tree.resolve(f"{_UNITS}/{unit}.service") or ""
    if not where.endswith(f"/{unit}.service"):
        return None  # an alias of a unit of the system, such as sshd.service
    lines = _directives(tree.text(f"{_UNITS}/{unit}.service"))
    for user in lines.get("User", []):
        if app := owners.by_user(user):
            return app
    texts = [text for key in ("ExecStart", "WorkingDirectory") for text in lines.get(key, [])]
    paths = [path for text in texts for path in _PATHS.findall(text)]
    return owners.by_folder(paths[:_MAX_PATHS]) or owners.by_name(unit.removesuffix("@"))


def unit_users(tree: Tree, unit: str) -> list[str]:
    """The accounts that a unit's `User=` names."""
    return _directives(tree.text(f"{_UNITS}/{unit}.service")).get("User", [])


def _directives(text: str) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            lines.setdefault(key.strip(), []).append(value.strip())
    return lines


def declared_services(tree: Tree) -> dict[str, Document]:
    """The services of packages in YunoHost's own list: those of the system, and those taken out, are left out."""
    local, base = (read_document(tree, path, parse_yaml) for path in (_LOCAL, _BASE))
    if isinstance(local, Unreadable):
        return {}
    known = {} if isinstance(base, Unreadable) else base
    return {
        name: body for name, body in local.items() if isinstance(body, dict) and as_text(name) and name not in known
    }


def declared_by_app(
    services: Mapping[str, Document], units: Mapping[str, tuple[str, ...]], owners: Owners
) -> dict[str, tuple[str, ...]]:
    """App → names of its declared services: by the unit of that name first, else by the name itself."""
    of_unit = {unit: app for app, names in units.items() for unit in names}
    found: dict[str, list[str]] = {}
    for name, body in services.items():
        actual = (as_text(body.get("actual_systemd_service")) or name).removesuffix(".service")
        owner = of_unit.get(actual) or of_unit.get(name.removesuffix(".service")) or owners.by_name(name)
        if owner:
            found.setdefault(owner, []).append(name)
    return {app: tuple(sorted(names)) for app, names in found.items()}


def log_files(services: Mapping[str, Document], names: tuple[str, ...]) -> list[str]:
    """The log paths that those services declare."""
    return [path for name in names for path in words(services[name].get("log")) if path.startswith("/")]
