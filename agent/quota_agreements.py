"""What was agreed: every limit of coloc.yml with its grace, how far it may go, and whether it may be acted on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from agent.quotas import Key
from coloc.config.projects import Quotas
from coloc.config.values import Limit
from coloc.config.whole import Config
from coloc.model import NO_PROJECT, SHARED, Colocation


@dataclass(frozen=True, slots=True)
class Agreement:
    """One limit. `enforced`: opted in, by a colocation that has come so far."""

    project: str
    app: str
    resource: str
    limit: Limit
    grace: timedelta
    allow: str
    enforced: bool

    @property
    def key(self) -> Key:
        """Which limit it is."""
        return self.project, self.app, self.resource


def agreements(config: Config, colocation: Colocation) -> Iterator[Agreement]:
    """Those of projects, then those of apps that are there."""
    for name, project in config.projects.items():
        yield from _of(config, name, "", project.quotas, project.enforce)
    for app, entry in config.apps.items():
        if app in colocation.inventory.apps:
            owner = colocation.project_of(app)
            is_one_s = owner not in {SHARED, NO_PROJECT}
            yield from _of(config, owner, app, entry.quotas, entry.enforce if is_one_s else ())


class Agreements:
    """The same, read again only when coloc.yml or the apps have changed: they are asked for at every tick."""

    def __init__(self) -> None:
        self._of: tuple[Config, Colocation] | None = None
        self._found: tuple[Agreement, ...] = ()

    def of(self, config: Config, colocation: Colocation) -> tuple[Agreement, ...]:
        """Those of now."""
        if self._of is None or self._of[0] is not config or self._of[1] is not colocation:
            self._of, self._found = (config, colocation), tuple(agreements(config, colocation))
        return self._found


def limit_of(config: Config, project: str, app: str, resource: str) -> Limit | None:
    """The limit behind a standing; None when coloc.yml has it no longer."""
    block = config.apps.get(app) if app else config.projects.get(project)
    return dict(block.quotas.limits()).get(resource) if block else None


def _of(config: Config, project: str, app: str, quotas: Quotas, enforced: tuple[str, ...]) -> Iterator[Agreement]:
    may_act = config.enforce is not None and config.reaches("enforce")
    for resource, limit in quotas.limits():
        grace = timedelta(seconds=quotas.grace_of(limit))
        is_enforced = may_act and resource in enforced
        yield Agreement(project, app, resource, limit, grace, quotas.allowed(limit), is_enforced)
