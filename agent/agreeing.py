"""What coloc.yml lets be enforced, as root writes it down for the helper: from config and inventory, pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from collectors.ownership import Ownership, UserIds, ownership
from coloc.agreed import Agreed, AgreedApp, AgreedLimit, AgreedProject
from coloc.config.projects import Quotas
from coloc.config.whole import Config
from coloc.model import App, Colocation, Database, DatabaseKind

_WEIGHT = 100  # of a share of one


def agreed_from(config: Config, colocation: Colocation, user_ids: UserIds) -> Agreed:
    """Everything of it; without `enforce:` at the left margin, or before that stage, nothing."""
    if config.enforce is None or not config.reaches("enforce"):
        return Agreed()
    owned = ownership(colocation, user_ids)
    projects = {}
    for name, project in config.projects.items():
        apps = {
            app.id: _app(app, owned, config)
            for app in colocation.apps_of(name)
            if colocation.project_of(app.id) == name
        }
        weight = min(10_000, max(1, round(project.share * _WEIGHT)))
        projects[name] = AgreedProject(weight, _limits(project.quotas, project.enforce), apps)
    return _without_doubles(Agreed(config.enforce.slices, projects, config.database_servers.as_data()), colocation)


def _app(app: App, owned: Ownership, config: Config) -> AgreedApp:
    units = sorted(unit for unit, owner in owned.unit_app.items() if owner == app.id)
    uids = sorted(uid for uid, owner in owned.uid_app.items() if owner == app.id)
    names = {kind: tuple(sorted(each.name for each in app.databases if each.kind is kind)) for kind in DatabaseKind}
    entry = config.apps.get(app.id)
    return AgreedApp(
        tuple(units),
        tuple(uids),
        app.folders,
        names[DatabaseKind.MYSQL],
        names[DatabaseKind.POSTGRESQL],
        _limits(entry.quotas, entry.enforce) if entry else {},
    )


def _limits(quotas: Quotas, enforced: tuple[str, ...]) -> Mapping[str, AgreedLimit]:
    return {
        resource: AgreedLimit(limit.soft, limit.hard, quotas.allowed(limit))
        for resource, limit in quotas.limits()
        if resource in enforced
    }


def _without_doubles(agreed: Agreed, colocation: Colocation) -> Agreed:
    """A database that two apps name is nobody's alone, shared apps counted: it is acted on for neither."""
    named = Counter(each for app in colocation.inventory.apps.values() for each in set(app.databases))

    def alone(kind: DatabaseKind, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if named[Database(kind, name)] == 1)

    return replace(
        agreed,
        projects={
            name: replace(
                project,
                apps={
                    app: replace(
                        each,
                        mysql=alone(DatabaseKind.MYSQL, each.mysql),
                        postgresql=alone(DatabaseKind.POSTGRESQL, each.postgresql),
                    )
                    for app, each in project.apps.items()
                },
            )
            for name, project in agreed.projects.items()
        },
    )
