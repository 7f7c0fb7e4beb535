"""The colocation as it is now: the inventory of this server, what coloc.yml adds, and whose project each app is."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Protocol

from coloc.config.whole import Config
from coloc.inventory.declared import with_declared
from coloc.inventory.projects import colocation
from coloc.inventory.yunohost import InventoryReader, read_inventory
from coloc.model import Colocation, Inventory

logger = logging.getLogger(__name__)


class ReadsInventory(Protocol):
    """Whatever finds the apps of a server."""

    def read(self, now: datetime, /) -> Inventory:
        """The apps at `now`; the same object while nothing changed."""


class ColocationReader:
    """Follows the apps; gives the same object while nothing changed, so that others may compare it with `is`."""

    def __init__(self, config: Config, inventory: ReadsInventory | None = None) -> None:
        self._config, self._reader = config, inventory or InventoryReader(config.root)
        self._inventory: Inventory | None = None
        self._current = Colocation(Inventory({}), tuple(config.projects), {})
        self._is_failing = False

    def read(self, now: datetime) -> bool:
        """Look again; True when the colocation changed. What fails leaves it as it was, and is logged once."""
        try:
            found = self._reader.read(now)
            after = self._current if found is self._inventory else _colocation(self._config, found)
        except Exception:  # a file that nobody thought of must not stop the measures, nor empty them
            if not self._is_failing:
                logger.exception("apps cannot be read")
            self._is_failing = True
            return False
        self._is_failing = False
        self._inventory = found
        if after == self._current:
            return False
        self._current = after
        logger.info("apps", extra={"number": len(after.inventory.apps)})
        return True

    def current(self) -> Colocation:
        """The colocation at the last look."""
        return self._current


def read_colocation(config: Config) -> Colocation:
    """The colocation, read once. Here a failure is raised: a backup of no app would look like a good one."""
    return _colocation(config, read_inventory(config.root))


def _colocation(config: Config, inventory: Inventory) -> Colocation:
    return colocation(config, with_declared(inventory, config.apps, config.root))
