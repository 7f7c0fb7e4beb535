"""A colocation as it might be on a November night, for screenshots, the browser and the benchmark of the page."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agent.charter.day_book import DayOfApp
from agent.charter.point import CharterPoint
from agent.page.remembered import SavedDay, Told
from agent.status import (
    AppStatus,
    BackupStatus,
    DrillStatus,
    FairUseStatus,
    IncidentStatus,
    MaintenanceStatus,
    ProjectStatus,
    QuotaStatus,
    SilenceStatus,
    Status,
)

NOW = datetime(2026, 11, 26, 19, 4, tzinfo=UTC)
NIGHT = datetime(2026, 11, 26, 1, 37, tzinfo=UTC)
HOSTS = ("alouette", "merle", "mésange")
_APPS = (  # id, label, project, url, version, GB of disk, MB of memory
    ("bookstack", "Le livre de recettes", "cantine", "recettes.coloc.example.org/", "25.07", 2.1, 180),
    ("kanboard", "Tableau des tâches", "velo", "velo.coloc.example.org/taches", "1.2.46", 0.3, 60),
    ("mattermost", "Tchat", "_shared", "tchat.coloc.example.org/", "10.11", 6.4, 410),
    ("nextcloud", "Nuage de la chorale", "chorale", "nuage.coloc.example.org/", "31.0.9", 61.0, 620),
    ("paheko", "Gestion de l'association", "velo", "velo.coloc.example.org/gestion", "1.3.15", 0.6, 90),
    ("wordpress", "Site de la chorale", "chorale", "chorale.example.org/", "6.8.3", 3.2, 150),
    ("wordpress__2", "Site de l'atelier vélo", "velo", "atelier-velo.example.org/", "6.8.3", 5.9, 170),
)
_SHARES = {"_shared": {"chorale": 0.5, "velo": 0.3, "cantine": 0.2}}
_USED_PROCESSOR = 0.04


def scene(apps: int = len(_APPS)) -> Status:
    """So many apps; beyond the first seven the same again under other numbers."""
    shown = [_app(number) for number in range(apps)]
    return Status(
        coloc="hautepierre",
        kind="cloud",
        stage="alert",
        version="0.1.0",
        timezone="Europe/Paris",
        at=NOW,
        started_at=NOW - timedelta(days=12),
        projects=(
            _project("chorale", "Chorale du Port", "association", ("léa", "samir"), shown, 80e9),
            _project("velo", "Atelier vélo", "association", ("zoé",), shown, 10e9),
            _project("cantine", "Cantine du quai", "informal", ("samir", "noor"), shown, 10e9),
        ),
        apps=tuple(shown),
        hosts=HOSTS,
        backups=tuple(_backup(app.id, host, number) for number, app in enumerate(shown) for host in HOSTS),
        incidents=(
            _incident(58, "warning", "firing", "Site de l'atelier vélo répond par des erreurs", 40, "wordpress__2"),
            _incident(57, "warning", "resolved", "Sauvegarde de nextcloud en échec sur merle", 900, "nextcloud"),
            _incident(55, "critical", "resolved", "L'app Tchat est arrêtée", 4000, "mattermost"),
        ),
        collectors={"disk": "", "units": ""},
        outbox={"matrix": 0, "console": 0},
        app_quotas=(QuotaStatus("memory", 6.2e8, 8e8, 1e9, "fine", NIGHT, "nothing", 0, "nextcloud", "chorale"),),
        fair_use=(
            FairUseStatus("chorale", 0.5, 0.62, 0.01),
            FairUseStatus("velo", 0.25, 0.31, 0.04, ("chorale",)),
            FairUseStatus("cantine", 0.25, 0.07, 0.0),
        ),
        silences=(SilenceStatus(4, NIGHT, NOW + timedelta(hours=3), "Zoé", "app=kanboard", "mise à jour"),),
        maintenances=(
            MaintenanceStatus(
                12, "Mise à jour de Nextcloud", "nextcloud", "declared",
                NOW + timedelta(hours=2), NOW + timedelta(hours=3), None, None, "Léa",
            ),
        ),
        charter=(
            CharterPoint("bus_factor", "app", "kanboard"),
            CharterPoint("bus_factor", "project", "velo"),
            CharterPoint("several_instances", "app", "wordpress", ("wordpress", "wordpress__2")),
            CharterPoint("changed_files", "app", "mattermost", ("/etc/nginx/conf.d/tchat.conf",), 1),
        ),
    )  # fmt: skip


def _app(number: int) -> AppStatus:
    app, label, project, url, version, disk, memory = _APPS[number % len(_APPS)]
    turn = number // len(_APPS)
    name = f"{app}__{turn + 10}" if turn else app
    up = app != "kanboard"
    used = _USED_PROCESSOR * (1 + number % 5)
    database = 4e7 * (1 + number % 9)
    return AppStatus(name, label, project, "ok", url, version, up, used, memory * 1e6, disk * 1e9, database)


def _project(
    name: str, title: str, kind: str, people: tuple[str, ...], apps: list[AppStatus], hard: float
) -> ProjectStatus:
    mine = [(app, _SHARES.get(app.project, {app.project: 1.0}).get(name, 0.0)) for app in apps]
    cpu, memory, disk, database = (
        sum(share * (getattr(app, figure) or 0) for app, share in mine)
        for figure in ("cpu_cores", "memory_bytes", "disk_bytes", "database_bytes")
    )
    step = "warn" if disk > 0.8 * hard else "fine"
    quotas = (
        QuotaStatus("cpu", cpu, 0.8, 1.0, "fine", NIGHT, "nothing", 0, project=name),
        QuotaStatus("disk", disk, 0.8 * hard, hard, step, NIGHT, "tell the project", 3, project=name),
        QuotaStatus("database", database, 1.6e9, 2e9, "fine", NIGHT, "nothing", 0, project=name),
    )
    ids = tuple(app.id for app, share in mine if share)
    return ProjectStatus(name, title, kind, ids, people, cpu, memory, disk, database, quotas)


def _backup(app: str, host: str, number: int) -> BackupStatus:
    at = NIGHT + timedelta(minutes=number % 50)
    whole = at - timedelta(days=3 + number % 20)
    good = DrillStatus(whole, True, "", whole, 1.0 if number % 4 else 0.2, 80.0)
    if (app, host) == ("nextcloud", "merle"):
        bad = "merle did not answer within 30 seconds"
        return BackupStatus(app, host, at, False, bad, at - timedelta(days=1), at - timedelta(days=1), "a", 10, good)
    return BackupStatus(app, host, at, True, "", at, at, f"{app}-1", 10, good)


def _incident(number: int, severity: str, phase: str, title: str, minutes: int, app: str) -> IncidentStatus:
    began = NOW - timedelta(minutes=minutes)
    over = began + timedelta(minutes=30) if phase == "resolved" else None
    by = "Léa" if over else ""
    return IncidentStatus(number, severity, phase, title, began, over, by, None, rule="app_errors", app=app)


def past(shown: Status) -> Told:
    """Three months of use and a month of nights, with a bad one, one that rested and a day without a measure."""
    today = shown.at.date()
    apps = tuple(sorted(app.id for app in shown.apps))
    saved, used = [], []
    for ago in range(30, -1, -1):
        day = today - timedelta(days=ago)
        for host in shown.hosts:
            bad = apps[:2] if (host, ago) in {("merle", 0), ("merle", 9), ("alouette", 17)} else ()
            if ago != 22 and not (host == "mésange" and ago > 12):
                saved.append(SavedDay(day, host, len(apps) - len(bad), bad))
    for number, app in enumerate(shown.apps):
        for ago in range(91, -1, -1):
            if ago != 33:
                figures = _day_of(app, ago, number)
                day_name = (today - timedelta(days=ago)).isoformat()
                bearers = _SHARES.get(app.project, {app.project: 1.0})
                used.append(DayOfApp(day_name, app.id, bearers, 86400.0, figures))
    return Told(saved, sorted(used, key=lambda each: (each.day, each.app)))


def _day_of(app: AppStatus, ago: int, number: int) -> dict[str, float]:
    wave = 1 + 0.3 * math.sin((ago + 3 * number) / 4) + (0.9 if (ago + number) % 29 == 0 else 0)
    grown = 1 - ago * 0.003
    return {
        "cpu_seconds": 86400.0 * (app.cpu_cores or 0) * wave,
        "memory_byte_seconds": 86400.0 * (app.memory_bytes or 0) * (0.9 + 0.1 * wave),
        "disk_byte_seconds": 86400.0 * ((app.disk_bytes or 0) + (app.database_bytes or 0)) * grown,
    }


def calm(shown: Status) -> Status:
    """The same on a night when all is well."""
    well = tuple(replace(each, ok=True, failure="") for each in shown.backups)
    return replace(shown, incidents=(), silences=(), maintenances=(), backups=well)
