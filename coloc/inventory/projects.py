"""Whose project each app is, as coloc.yml says: `shared_by` first, then ids, then patterns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from coloc.config.whole import Config
from coloc.model import Colocation, Inventory


def colocation(config: Config, inventory: Inventory) -> Colocation:
    """The inventory (declared apps are in it already) and each app's projects.

    An app that several projects claim without `shared_by` is split evenly between them; `claims` tells it.
    """
    shares = {app: found for app in inventory.apps if (found := _shares(config, app))}
    return Colocation(inventory, tuple(config.projects), shares)


def claims(config: Config, inventory: Inventory) -> list[str]:
    """What does not agree between coloc.yml and the apps that exist, one sentence each."""
    return [*_disputed(config, inventory.apps), *_without_app(config, inventory.apps)]


def _shares(config: Config, app: str) -> Mapping[str, float]:
    entry = config.apps.get(app)
    weights = dict(entry.shared_by) if entry and entry.shared_by else dict.fromkeys(_claiming(config, app), 1.0)
    whole = sum(weights.values())
    return {project: weight / whole for project, weight in weights.items()}


def _claiming(config: Config, app: str) -> list[str]:
    """The projects that name the app; those that name it by a pattern only when none names its id."""
    exact = [name for name, project in config.projects.items() if app in project.apps]
    by_pattern = [
        name for name, project in config.projects.items() if any(fnmatchcase(app, pattern) for pattern in project.apps)
    ]
    return exact or by_pattern


def _disputed(config: Config, apps: Iterable[str]) -> Iterator[str]:
    for app in sorted(apps):
        entry, claiming = config.apps.get(app), _claiming(config, app)
        if entry and entry.shared_by:
            exact = [name for name in claiming if app in config.projects[name].apps]
            for name in exact:
                if name not in entry.shared_by:
                    yield f"{app} is in projects.{name}.apps but apps.{app}.shared_by leaves {name} out: add its share"
        elif len(claiming) > 1:
            shares = ", ".join(f"{name}: 1" for name in claiming)
            yield f"{app} is claimed by {' and '.join(claiming)}: write apps.{app}.shared_by: {{{shares}}}"


def _without_app(config: Config, apps: Iterable[str]) -> Iterator[str]:
    known = set(apps)
    for name, project in config.projects.items():
        for pattern in project.apps:
            if pattern not in known and not any(fnmatchcase(app, pattern) for app in known):
                yield f"projects.{name}.apps names {pattern}, but no app of this server is called so"
    for app in config.apps:
        if app not in known:
            yield f"apps.{app} is no app of this server: give it folders, user, units or databases, or take it out"
