"""What databases cost, as metrics: by app, kind and project; bounded for apps with many databases. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import clean, fold
from collectors.shares import project_label, project_sums
from collectors.spending import Spending
from coloc.databases.answers import Answer
from coloc.model import App, Colocation, Database, DatabaseKind

_MOST_PER_APP = 8
_BY_KIND = ("app", "project", "kind")


@dataclass(frozen=True, slots=True)
class Look:
    """One look. `servers`: kinds that were asked; `answers`: of whom; `told`: pairs of "busy" or "cpu", and a kind."""

    colocation: Colocation
    servers: Sequence[DatabaseKind]
    answers: Mapping[DatabaseKind, Answer]
    busy: Spending
    cpu: Spending
    told: Collection[tuple[str, str]]


def families(look: Look) -> Iterator[Metric]:
    """Everything that is known of databases."""
    yield from _sizes(look)
    yield from _connections(look)
    yield from _spent(look, "busy", "Time spent on statements", look.busy)
    yield from _spent(look, "cpu", "CPU time of the server for the app", look.cpu)
    yield from _servers(look)


def owners_of(colocation: Colocation, kind: DatabaseKind) -> dict[str, str]:
    """Which app a database of that name, or the account of that name, belongs to; what several have is nobody's."""
    found: dict[str, set[str]] = {}
    for app in colocation.inventory.apps.values():
        for database in app.databases:
            if database.kind is kind:
                found.setdefault(database.name, set()).add(app.id)
    return {name: next(iter(apps)) for name, apps in found.items() if len(apps) == 1}


def label_of(app: App, database: Database) -> str:
    """How a database is called: its name; an SQLite file by its place in the app's folder."""
    if database.kind is DatabaseKind.SQLITE:
        path = PurePosixPath(database.name)
        folders = [folder for folder in app.folders if path.is_relative_to(folder)]
        return clean(str(path.relative_to(max(folders, key=len))) if folders else path.name)
    return clean(database.name)


def _sizes(look: Look) -> Iterator[Metric]:
    colocation, folded = look.colocation, 0
    family = GaugeMetricFamily("coloc_app_database_bytes", "Size of a database.", labels=["app", "project", "database"])
    sums: dict[str, float] = {}
    for app_id, app in sorted(colocation.inventory.apps.items()):
        sizes: dict[str, float] = {}
        known = 0
        for database in app.databases:
            answer = look.answers.get(database.kind)
            if answer is not None and database.name in answer.bytes:
                label = label_of(app, database)
                sizes[label] = sizes.get(label, 0.0) + answer.bytes[database.name]
                known += 1
        folded += max(0, len(sizes) - _MOST_PER_APP)
        for name, size in fold(sizes, _MOST_PER_APP).items():
            family.add_metric([app_id, project_label(colocation, app_id), name], size)
        if known and known == len(app.databases):
            sums[app_id] = sum(sizes.values())
    yield family
    needed = [app_id for app_id, app in colocation.inventory.apps.items() if app.databases]
    yield _by_project(
        GaugeMetricFamily(
            "coloc_project_database_bytes", "Size of the databases; shared apps by shares.", labels=["project"]
        ),
        project_sums(colocation, sums, needed),
    )
    yield GaugeMetricFamily("coloc_databases_folded", "Databases that are summed up as _other.", value=folded)


def _connections(look: Look) -> Iterator[Metric]:
    family = GaugeMetricFamily("coloc_app_database_connections", "Open connections.", labels=_BY_KIND)
    sums: dict[str, float] = {}
    for kind, owners in _owners(look).items():
        if kind not in look.answers:
            continue
        counts = dict.fromkeys(sorted(set(owners.values())), 0.0)
        for (account, database), connections in look.answers[kind].connections.items():
            app = owners.get(database) or owners.get(account)
            if app is not None:
                counts[app] += connections
        for app, count in counts.items():
            family.add_metric([app, project_label(look.colocation, app), kind], count)
            sums[app] = sums.get(app, 0.0) + count
    yield family
    whole, needed = _whole(look, look.answers.keys())
    yield _by_project(
        GaugeMetricFamily(
            "coloc_project_database_connections", "Open connections; shared apps by shares.", labels=["project"]
        ),
        project_sums(look.colocation, {app: sums[app] for app in whole}, needed),
    )


def _spent(look: Look, name: str, what: str, spending: Spending) -> Iterator[Metric]:
    kinds = {kind for told, kind in look.told if told == name}
    family = CounterMetricFamily(
        f"coloc_app_database_{name}_seconds", f"{what}, since the agent started.", labels=_BY_KIND
    )
    for kind, owners in _owners(look).items():
        if kind in kinds:
            for app in sorted(set(owners.values())):
                family.add_metric([app, project_label(look.colocation, app), kind], spending.apps.get((app, kind), 0.0))
    yield family
    whole, needed = _whole(look, kinds)
    shown = project_sums(look.colocation, dict.fromkeys(whole, 0.0), needed)
    yield _by_project(
        CounterMetricFamily(
            f"coloc_project_database_{name}_seconds", f"{what}; shared apps by their shares.", labels=["project"]
        ),
        {project: spending.projects.get(project, 0.0) for project in shown},
    )


def _servers(look: Look) -> Iterator[Metric]:
    answers = GaugeMetricFamily("coloc_database_server_success", "1 when the server told the sizes.", labels=["kind"])
    tells = GaugeMetricFamily(
        "coloc_database_statistics_success", "1 when the server tells the time that it spends.", labels=["kind"]
    )
    used = GaugeMetricFamily(
        "coloc_database_server_connections", "Open connections, of apps and others.", labels=["kind"]
    )
    most = GaugeMetricFamily(
        "coloc_database_server_connections_max", "Connections that the server allows.", labels=["kind"]
    )
    for kind in look.servers:
        answer = look.answers.get(kind)
        answers.add_metric([kind], float(answer is not None))
        if answer is not None:
            tells.add_metric([kind], float(("busy", kind) in look.told))
            used.add_metric([kind], float(sum(answer.connections.values())))
            if answer.connections_max is not None:
                most.add_metric([kind], float(answer.connections_max))
    yield from (answers, tells, used, most)


def _owners(look: Look) -> dict[DatabaseKind, dict[str, str]]:
    return {kind: owners_of(look.colocation, kind) for kind in look.servers}


def _whole(look: Look, kinds: Collection[str]) -> tuple[list[str], list[str]]:
    """Apps with databases on servers of which all are among `kinds`; and all apps with databases on servers."""
    needed: dict[str, set[DatabaseKind]] = {}
    owned = {kind: set(owners_of(look.colocation, kind).values()) for kind in DatabaseKind}
    for app_id, app in look.colocation.inventory.apps.items():
        for database in app.databases:
            if database.kind is not DatabaseKind.SQLITE:
                needed.setdefault(app_id, set()).add(database.kind)
    whole = [app for app, of in needed.items() if of <= set(kinds) and all(app in owned[kind] for kind in of)]
    return whole, list(needed)


def _by_project(family: GaugeMetricFamily | CounterMetricFamily, sums: Mapping[str, float]) -> Metric:
    for project, value in sums.items():
        family.add_metric([project], value)
    return family
