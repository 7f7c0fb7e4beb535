"""The inventory as JSON, with the keys that scripts rely on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from coloc.model import App, Inventory

_LEFT_OUT = ("id", "declared", "do_not_backup_data", "extra_folders")


def inventory_as_json(inventory: Inventory) -> dict[str, Any]:
    """`{"apps": {id: {…}}, "not_apps": […], "domains": […], "main_domain": …}`."""
    return {
        "apps": {app_id: app_as_json(app) for app_id, app in sorted(inventory.apps.items())},
        "not_apps": list(inventory.not_apps),
        "domains": list(inventory.domains),
        "main_domain": inventory.main_domain,
    }


def app_as_json(app: App) -> dict[str, Any]:
    """One app; `do_not_backup_data` and `declared` only when they are true."""
    values = {key: _plain(value) for key, value in sorted(asdict(app).items()) if key not in _LEFT_OUT}
    if app.do_not_backup_data:
        values["do_not_backup_data"] = True
    if app.declared:
        values["declared"] = True
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
