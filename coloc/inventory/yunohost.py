"""YunoHost's apps, read from its files and never from its slow command line; cheap to ask again and again.

Rules of the memory: nothing changed → the same inventory again. YunoHost does not replace its files at once, it empties
and rewrites them: an app whose files make no sense is shown as it last was, for at most a minute; then it is broken.
So is one whose settings.yml ends too early: keys are written in order, so that the last ones are what is missing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from coloc.inventory.databases import sqlite_files
from coloc.inventory.entries import APPS, setting_keys
from coloc.inventory.server import read_server
from coloc.inventory.tree import Tree
from coloc.model import App, AppState, Database, Inventory

_HOLD_SECONDS = 60.0
_SEARCH_SECONDS = 900.0  # how old a search for SQLite files may be
_UNREAD = (AppState.BROKEN, AppState.STRAY)


def is_yunohost(root: Path) -> bool:
    """True when YunoHost was ever installed below `root`."""
    return Tree(root).is_folder(APPS)


def read_inventory(root: Path) -> Inventory:
    """Everything below `root`, read once. Raises nothing."""
    return InventoryReader(root).read()


def ends_too_early(keys: frozenset[str], before: frozenset[str]) -> bool:
    """True when the keys that are gone are the last ones of before: the file is still being written."""
    gone = before - keys
    return bool(gone) and min(gone) > max(keys, default="")


class InventoryReader:
    """Reads the YunoHost server below `root`, again at each call."""

    def __init__(
        self, root: Path, *, hold_seconds: float = _HOLD_SECONDS, search_seconds: float = _SEARCH_SECONDS
    ) -> None:
        self._tree = Tree(root)
        self._hold_seconds = hold_seconds
        self._search_seconds = search_seconds
        self._last: Inventory | None = None
        self._read_at = self._valid_until = 0.0
        self._good: dict[str, App] = {}
        self._keys: dict[str, frozenset[str]] = {}  # of the settings of those
        self._bad_since: dict[str, float] = {}
        self._searched: dict[tuple[str, tuple[str, ...]], tuple[float, tuple[Database, ...]]] = {}

    def read(self, when: datetime | None = None) -> Inventory:
        """The inventory at `when`, the same object while nothing changed. Raises nothing, whatever the files hold."""
        now = (when or datetime.now(UTC)).timestamp()
        if self._last is not None and self._read_at <= now < self._valid_until and self._tree.unchanged():
            return self._last
        self._tree.begin()
        found = read_server(self._tree, lambda *about: self._sqlite(now, *about))
        apps = {app: self._steady(now, entry) for app, entry in found.apps.items()}
        self._forget(set(apps))
        ends = [since + self._hold_seconds for app, since in self._bad_since.items() if app in self._good]
        self._valid_until = min([now + self._search_seconds, *(end for end in ends if end > now)])
        self._read_at = now
        inventory = Inventory(apps, found.not_apps, found.domains, found.main_domain)
        if inventory != self._last:
            self._last = inventory
        return inventory if self._last is None else self._last

    def _steady(self, now: float, app: App) -> App:
        """The app itself, or its last good shape while its files are being rewritten."""
        keys = setting_keys(self._tree, app.id)
        is_cut = ends_too_early(keys, self._keys.get(app.id, frozenset()))
        since = self._bad_since.setdefault(app.id, now) if is_cut or app.state in _UNREAD else None
        last = self._good.get(app.id)
        if since is not None and last is not None and 0 <= now - since < self._hold_seconds:
            return last
        if app.state not in _UNREAD:
            self._good[app.id], self._keys[app.id] = app, keys
            self._bad_since.pop(app.id, None)
        return app

    def _forget(self, apps: set[str]) -> None:
        self._good = {app: good for app, good in self._good.items() if app in apps}
        self._keys = {app: keys for app, keys in self._keys.items() if app in apps}
        self._bad_since = {app: since for app, since in self._bad_since.items() if app in apps}
        self._searched = {key: value for key, value in self._searched.items() if key[0] in apps}

    def _sqlite(self, now: float, app: str, folders: tuple[str, ...], foreign: frozenset[str]) -> tuple[Database, ...]:
        """A walk of an app's folders is dear: once in a while is enough."""
        kept = self._searched.get((app, folders))
        if kept is None or now - kept[0] >= self._search_seconds:
            kept = (now, sqlite_files(self._tree, folders, foreign))
            self._searched[app, folders] = kept
        return kept[1]
