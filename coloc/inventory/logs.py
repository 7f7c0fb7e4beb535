"""The folders where an app logs: those of its declared services, of its logrotate file, and /var/log/<app>."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coloc.inventory.documents import read_settings
from coloc.inventory.root import Root
from coloc.inventory.units import Candidate, owner_by_name

_ENDINGS = (".log", ".err", ".txt", ".out", ".json", "*")


def declared_services(root: Root) -> Mapping[str, Any]:
    """/etc/yunohost/services.yml: what apps told YunoHost of their services."""
    return read_settings(root, "/etc/yunohost/services.yml").values


def services_declared(
    services: Mapping[str, Any], units: Mapping[str, tuple[str, ...]], apps: Mapping[str, Candidate]
) -> dict[str, tuple[str, ...]]:
    """The declared services of each app: those that are its units, else by name."""
    owners = {unit: app_id for app_id, names in units.items() for unit in names}
    found: dict[str, list[str]] = {}
    for name, values in sorted(services.items()):
        if values is None:
            continue  # an app removed a service of YunoHost's own list
        owner = owners.get(name) or owner_by_name(name, apps)
        if owner is not None:
            found.setdefault(owner, []).append(name)
    return {app_id: tuple(names) for app_id, names in found.items()}


def log_folders(root: Root, app_id: str, declared: Iterable[str], services: Mapping[str, Any]) -> tuple[str, ...]:
    """Where `app_id` logs, sorted. Files that lie in /var/log itself name no folder of the app."""
    found = set()
    for name in declared:
        values = services.get(name)
        logs = values.get("log") if isinstance(values, Mapping) else None
        for log in logs if isinstance(logs, list) else [logs]:
            if isinstance(log, str) and log.startswith("/"):
                found.add(_folder(log))
    found |= {_folder(path) for path in _rotated(root.text(f"/etc/logrotate.d/{app_id}"))}
    if root.is_folder(f"/var/log/{app_id}"):
        found.add(f"/var/log/{app_id}")
    return tuple(sorted(found - {"", "/", "/var/log"}))


def _folder(path: str) -> str:
    return path.rsplit("/", 1)[0] if path.endswith(_ENDINGS) or "*" in path else path.rstrip("/")


def _rotated(text: str) -> Iterator[str]:
    inside = False
    for line in text.splitlines():
        words, inside_before = line.split("#")[0], inside
        if "{" in words:
            inside = True
        if not inside_before:
            for word in words.split("{")[0].split():
                path = word.strip("\"'")
                if path.startswith("/"):
                    yield path
        if "}" in words:
            inside = False
