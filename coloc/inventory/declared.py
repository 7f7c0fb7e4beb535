"""Apps that coloc.yml declares: alone on a plain Debian server, or adding to what YunoHost says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from coloc.config.projects import AppEntry
from coloc.inventory.tree import Tree
from coloc.model import App, AppState, Database, DatabaseKind, Inventory


def with_declared(inventory: Inventory, entries: Mapping[str, AppEntry], root: Path = Path("/")) -> Inventory:
    """The inventory with the apps of coloc.yml; an app that both know stays one app."""
    tree = Tree(root)
    apps = dict(inventory.apps)
    for app, entry in entries.items():
        if app in apps:
            apps[app] = _with_more(apps[app], entry)
        elif entry.is_declared:
            apps[app] = _declared(tree, app, entry)
    return replace(inventory, apps=apps)


def _with_more(app: App, entry: AppEntry) -> App:
    folders = tuple(folder for folder in _folders(entry) if folder not in (app.install_dir, app.data_dir))
    return replace(
        app,
        label=entry.label or app.label,
        user=app.user or entry.user,
        extra_folders=folders,
        services=tuple(sorted({*app.services, *_units(entry)})),
        databases=tuple(sorted({*app.databases, *_databases(entry)})),
        domain=app.domain or entry.domain,
        path=app.path or (entry.path if entry.domain else None),
        urls=app.urls or _urls(entry),
    )


def _declared(tree: Tree, app: str, entry: AppEntry) -> App:
    folders = _folders(entry)
    missing = tuple(f"its folder {folder} does not exist" for folder in folders if not tree.is_folder(folder))
    return App(
        id=app,
        base_id=app.split("__", 1)[0],
        label=entry.label or app,
        state=AppState.PARTIAL if missing else AppState.OK,
        user=entry.user,
        domain=entry.domain,
        path=entry.path if entry.domain else None,
        urls=_urls(entry),
        install_dir=folders[0] if folders else None,
        data_dir=folders[1] if len(folders) > 1 else None,
        extra_folders=folders[2:],
        databases=tuple(sorted(_databases(entry))),
        services=tuple(sorted(_units(entry))),
        problems=missing,
        declared=True,
    )


def _folders(entry: AppEntry) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folder.rstrip("/") or "/" for folder in entry.folders))


def _units(entry: AppEntry) -> set[str]:
    return {unit.removesuffix(".service") for unit in entry.units}


def _databases(entry: AppEntry) -> set[Database]:
    return {Database(DatabaseKind(database.kind), database.name) for database in entry.databases}


def _urls(entry: AppEntry) -> tuple[str, ...]:
    return (f"{entry.domain}/{entry.path.strip('/')}",) if entry.domain else ()
