"""Whose is a file of the system (unit, pool, cron table, nginx file)? The rules, the most trusted first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from coloc.inventory.entries import Entry
from coloc.model import AppState

_INSTANCE = re.compile(r"__[1-9][0-9]*(?![0-9A-Za-z])")


class Owners:
    """Answers for one set of apps. A copy of an app's folder (stray) owns nothing."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._ids = [app for app, entry in entries.items() if entry.state is not AppState.STRAY]
        self._by_checksum: dict[str, str] = {}
        self._folders: list[tuple[str, str]] = []
        for app in self._ids:
            for flat in entries[app].settings.checksums():
                self._by_checksum.setdefault(flat, app)
            if folder := entries[app].install_dir:
                self._folders.append((folder, app))
        self._folders.sort(key=lambda pair: (-len(pair[0]), pair[1]))

    def by_checksum(self, path: str) -> str | None:
        """The app whose package wrote the file, and noted its checksum."""
        return self._by_checksum.get(flatten(path))

    def by_user(self, user: str | None) -> str | None:
        """An app's account bears its id."""
        return user if user in self._ids else None

    def by_folder(self, paths: Iterable[str]) -> str | None:
        """The app in whose folder one of `paths` lies: the innermost one."""
        paths = tuple(paths)
        for folder, app in self._folders:
            if any(path == folder or path.startswith(folder + "/") for path in paths):
                return app
        return None

    def by_name(self, name: str) -> str | None:
        """The app of that id, or the longest id that `name` continues with - or _ (but not as another instance)."""
        if name in self._ids:
            return name
        fitting = [
            app
            for app in self._ids
            if name.startswith((f"{app}-", f"{app}_")) and not _INSTANCE.match(name.removeprefix(app))
        ]
        return max(fitting, key=len, default=None)


def flatten(path: str) -> str:
    """A path as YunoHost's checksum keys spell it."""
    return path.replace("/", "_").replace(" ", "_")
