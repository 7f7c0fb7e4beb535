"""The colocation as the commands see it: the inventory of this server with the projects of coloc.yml."""

from __future__ import annotations

from datetime import datetime

from coloc.config import Config
from coloc.model import App, Colocation, Database, DatabaseKind, Inventory


class ColocationReader:
    """Reads the inventory again each time it is asked."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def read(self, now: datetime) -> bool:  # noqa: ARG002 - what it reads has no age
        """Look again; True when something changed."""
        return False

    def current(self) -> Colocation:
        """The colocation as it is now."""
        return _declared(self._config)


def _declared(config: Config) -> Colocation:
    apps = {}
    for name, entry in config.apps.items():
        if entry.is_declared:
            folders = (*entry.folders, None, None)
            apps[name] = App(
                name,
                name,
                entry.label or name,
                user=entry.user,
                install_dir=folders[0],
                data_dir=folders[1],
                databases=tuple(Database(DatabaseKind(each.kind), each.name) for each in entry.databases),
                services=entry.units,
                declared=True,
            )
    return Colocation(Inventory(apps), tuple(config.projects), {})
