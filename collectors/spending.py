"""Seconds that grow, charged to apps and projects: from servers' counters, whoever restarts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic, TypeVar

from collectors.shares import shares_of
from coloc.model import Colocation

K = TypeVar("K")


class Growth(Generic[K]):
    """By how much counters grew since they were last seen; one that became smaller began anew."""

    def __init__(self) -> None:
        self._last: Mapping[K, float] | None = None

    def since(self, values: Mapping[K, float]) -> dict[K, float]:
        """What was added to each; nothing at the first look, all of one that was not there before."""
        last, self._last = self._last, dict(values)
        if last is None:
            return {}
        grown = {key: value - last.get(key, 0.0) for key, value in values.items()}
        return {key: more if more >= 0 else values[key] for key, more in grown.items() if more}

    def last(self, key: K) -> float | None:
        """What was seen of one at the last look."""
        return (self._last or {}).get(key)

    def forget(self) -> None:
        """The next look is a first one."""
        self._last = None


class Spending:
    """What apps (by kind) and projects have spent since the agent started. It never becomes less."""

    def __init__(self) -> None:
        self.apps: dict[tuple[str, str], float] = {}
        self.projects: dict[str, float] = {}

    def charge(self, colocation: Colocation, kind: str, owners: Mapping[str, str], grown: Mapping[str, float]) -> None:
        """Charge growth, by name of a database or account, to the app that owns the name."""
        for name, seconds in grown.items():
            app = owners.get(name)
            if app is not None:
                self.apps[app, kind] = self.apps.get((app, kind), 0.0) + seconds
                for project, share in shares_of(colocation, app).items():
                    self.projects[project] = self.projects.get(project, 0.0) + seconds * share

    def keep(self, apps: Collection[str]) -> None:
        """Forget the apps that are gone."""
        for key in [key for key in self.apps if key[0] not in apps]:
            del self.apps[key]
