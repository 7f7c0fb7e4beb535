"""The inventory as plain values, for `coloc-agent apps --json` and whoever reads it."""

from __future__ import annotations

from typing import Any

from coloc.model import App, Inventory


def inventory_as_json(inventory: Inventory) -> dict[str, Any]:
    """The whole inventory: apps, what is no app, domains."""
    return {
        "apps": {app: app_as_json(inventory.apps[app]) for app in sorted(inventory.apps)},
        "not_apps": list(inventory.not_apps),
        "domains": list(inventory.domains),
        "main_domain": inventory.main_domain,
    }


def app_as_json(app: App) -> dict[str, Any]:
    """One app. Rare keys (`do_not_backup_data`, `folders`, `declared`) stand only where they say something."""
    value: dict[str, Any] = {key: _plain(getattr(app, key)) for key in _PLAIN}
    value["databases"] = [{"kind": database.kind.value, "name": database.name} for database in app.databases]
    value["php_pools"] = [{"file": pool.file, "pool": pool.pool, "user": pool.user} for pool in app.php_pools]
    if app.do_not_backup_data:
        value["do_not_backup_data"] = True
    if app.extra_folders:
        value["folders"] = list(app.folders)
    if app.declared:
        value["declared"] = True
    return dict(sorted(value.items()))


_PLAIN = [
    "base_id",
    "cron",
    "data_dir",
    "domain",
    "install_dir",
    "install_time",
    "instance",
    "label",
    "log_dirs",
    "mail_allowed",
    "mail_sender",
    "modified_files",
    "nginx_conf",
    "packaging_version",
    "path",
    "permissions",
    "php_version",
    "ports",
    "problems",
    "redis_db",
    "services",
    "services_declared",
    "state",
    "upstream_version",
    "urls",
    "user",
    "version",
]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "items"):
        return {key: _plain(item) for key, item in sorted(value.items())}
    return getattr(value, "value", value)
