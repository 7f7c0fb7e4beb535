"""Whose app is it? Ids and patterns of coloc.yml against the apps that are there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from coloc.config import Config
from coloc.model import Colocation, Inventory


def colocation(config: Config, inventory: Inventory) -> Colocation:
    """Every app with the projects that bear it. `shared_by` counts first, then an exact id, then a pattern.

    An app that two projects claim in the same way is borne by both in equal parts, and `claims` tells it.
    """
    shares = {}
    for app_id in inventory.apps:
        found = _shares(config, app_id)
        if found:
            shares[app_id] = found
    return Colocation(inventory, tuple(config.projects), shares)


def _shares(config: Config, app_id: str) -> Mapping[str, float]:
    entry = config.apps.get(app_id)
    parts = dict(entry.shared_by) if entry and entry.shared_by else dict.fromkeys(_claimants(config, app_id), 1.0)
    whole = sum(parts.values())
    return {project: part / whole for project, part in parts.items()}


def _claimants(config: Config, app_id: str) -> list[str]:
    exact = [name for name, project in config.projects.items() if app_id in project.apps]
    if exact:
        return exact
    return [
        name
        for name, project in config.projects.items()
        if any(fnmatchcase(app_id, pattern) for pattern in project.apps)
    ]


def claims(config: Config, inventory: Inventory) -> list[str]:
    """What does not fit between coloc.yml and the apps that are there, a sentence each."""
    found = []
    for name, project in config.projects.items():
        for pattern in project.apps:
            if not any(fnmatchcase(app_id, pattern) for app_id in inventory.apps):
                found.append(f"projects.{name}.apps names {pattern!r}, and there is no such app; see: coloc-agent apps")
    for app_id in inventory.apps:
        entry = config.apps.get(app_id)
        claimants = _claimants(config, app_id)
        if len(claimants) > 1 and not (entry and entry.shared_by):
            both = " and ".join(claimants)
            found.append(f"{app_id} is claimed by {both}; write apps: {{{app_id}: {{shared_by: …}}}} or name it once")
    for app_id, entry in config.apps.items():
        if app_id not in inventory.apps and not entry.is_declared:
            found.append(f"apps.{app_id}: there is no such app; see: coloc-agent apps")
    return found
