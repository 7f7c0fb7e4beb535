"""Apps that coloc.yml describes, so that a plain Debian server works; and what it adds to apps that YunoHost has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from coloc.config import AppEntry
from coloc.model import App, Database, DatabaseKind, Inventory


def with_declared(inventory: Inventory, entries: Mapping[str, AppEntry]) -> Inventory:
    """The inventory with what coloc.yml says of apps."""
    apps = dict(inventory.apps)
    for app_id, entry in entries.items():
        if app_id in apps:
            apps[app_id] = _added(apps[app_id], entry)
        elif entry.is_declared:
            apps[app_id] = _declared(app_id, entry)
    return replace(inventory, apps=dict(sorted(apps.items())))


def _declared(app_id: str, entry: AppEntry) -> App:
    code, data = (*entry.folders, None, None)[:2]
    return App(
        id=app_id,
        base_id=app_id,
        label=entry.label or app_id,
        user=entry.user,
        domain=entry.domain,
        path=entry.path if entry.domain else None,
        urls=(f"{entry.domain}{entry.path}",) if entry.domain else (),
        install_dir=code,
        data_dir=data,
        extra_folders=entry.folders[2:],
        databases=_databases(entry),
        services=_units(entry),
        declared=True,
    )


def _added(app: App, entry: AppEntry) -> App:
    return replace(
        app,
        label=entry.label or app.label,
        user=entry.user or app.user,
        extra_folders=tuple(folder for folder in entry.folders if folder not in app.folders),
        databases=tuple(dict.fromkeys((*app.databases, *_databases(entry)))),
        services=tuple(sorted({*app.services, *_units(entry)})),
    )


def _units(entry: AppEntry) -> tuple[str, ...]:
    return tuple(unit.removesuffix(".service") for unit in entry.units)


def _databases(entry: AppEntry) -> tuple[Database, ...]:
    return tuple(Database(DatabaseKind(item.kind), item.name) for item in entry.databases)
