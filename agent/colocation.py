"""The colocation as it is now: the inventory of this server, what coloc.yml adds, and whose project each app is."""

from __future__ import annotations

import logging
from datetime import datetime

from coloc.config import Config
from coloc.inventory.declared import with_declared
from coloc.inventory.projects import colocation
from coloc.inventory.yunohost import InventoryReader
from coloc.model import Colocation, Inventory
from coloc.times import now_utc

logger = logging.getLogger(__name__)


class ColocationReader:
    """Follows the apps; gives the same object while nothing changed, so that others may compare it with `is`."""

    def __init__(self, config: Config) -> None:
        self._config, self._reader = config, InventoryReader(config.root)
        self._inventory: Inventory | None = None
        self._current = Colocation(Inventory({}), tuple(config.projects), {})

    def read(self, now: datetime) -> bool:
        """Look again; True when the colocation changed."""
        found = self._reader.read(now)
        if found is self._inventory:
            return False
        before, self._inventory = self._current, found
        after = colocation(self._config, with_declared(found, self._config.apps, self._config.root))
        if after == before:
            return False
        self._current = after
        logger.info("apps", extra={"number": len(after.inventory.apps)})
        return True

    def current(self) -> Colocation:
        """The colocation at the last look."""
        return self._current


def read_colocation(config: Config) -> Colocation:
    """The colocation, read once."""
    reader = ColocationReader(config)
    reader.read(now_utc())
    return reader.current()
