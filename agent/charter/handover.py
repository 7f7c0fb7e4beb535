"""The handover sheet of an app or a project, in Markdown: all that somebody needs who takes over tonight. Pure.

It names adminsys by their key of coloc.yml, and files by their names, never by what they hold: no secret can be in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.charter.facts import people_of, reviewers
from agent.page.figures import figure, human_bytes
from agent.status import BackupStatus, IncidentStatus, Status
from alerts.plain import no_markup, plain
from coloc.config.register import AppRegister, ProjectRegister, Review
from coloc.config.whole import Config
from coloc.model import App, Colocation
from coloc.times import for_people

_INCIDENTS, _FILES = 5, 20
_FRENCH: Mapping[str, str] = {
    "Handover sheet": "Fiche de reprise",
    "Who": "Qui",
    "What was agreed": "Ce qui est convenu",
    "Where": "Où",
    "Changed by hand": "Modifié à la main",
    "Backups": "Sauvegardes",
    "Last incidents": "Derniers incidents",
    "Bring it back": "La restaurer",
    "Upgrade it": "La mettre à jour",
    "Notes": "Notes",
    "Apps": "Apps",
    "written on": "écrite le",
    "by coloc.yml and the server": "d'après coloc.yml et le serveur",
    "app": "app",
    "version": "version",
    "project": "projet",
    "adminsys": "adminsys",
    "reviewed by": "relue par",
    "never read by a second person": "jamais relue par une seconde personne",
    "put it down with": "notez-le avec",
    "level of service": "niveau de service",
    "users": "utilisateurices",
    "agreed": "convenu",
    "on": "le",
    "server": "serveur",
    "address": "adresse",
    "folder": "dossier",
    "database": "base",
    "unit": "unité",
    "system user": "utilisateur système",
    "cron": "cron",
    "an upgrade may undo it": "une mise à jour peut le défaire",
    "last good one": "dernière bonne",
    "proven by a restore": "prouvée par une restauration",
    "never": "jamais",
    "no backup": "aucune sauvegarde",
    "not known: the agent does not answer": "pas connu : l'agent ne répond pas",
    "still open": "toujours en cours",
    "what there is": "ce qu'il y a",
    "what would be done": "ce qui serait fait",
    "all of it": "le tout",
    "the database alone": "la base seule",
    "the way back": "revenir en arrière",
    "gone from the server": "disparue du serveur",
    "first": "d'abord",
    "say it": "l'annoncer",
    "then": "puis",
    "and": "et",
    "nothing": "rien",
    "more": "de plus",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the daemon told; `status` None: it does not answer."""

    status: Status | None
    incidents: Sequence[IncidentStatus] = ()


def app_sheet(config: Config, colocation: Colocation, app: App, known: Known, now: datetime) -> list[str]:
    """The sheet of an app, as lines."""
    page = _Sheet(config, now)
    entry = config.apps.get(app.id)
    register = entry.charter if entry else AppRegister()
    projects = [name for name in colocation.shares.get(app.id, {}) if name in config.projects]
    return [
        f"# {page.say('Handover sheet')}: {_safe(app.label)} ({_safe(app.id)})",
        "",
        page.written(),
        *page.part("Who", page.who(projects, register.reviewed, app.id)),
        *page.part("What was agreed", page.agreed(projects, entry.service if entry else "best_effort")),
        *page.part("Where", page.where(app)),
        *page.part("Changed by hand", page.changed(app.modified_files)),
        *page.part("Backups", page.backups(known, app.id)),
        *page.part("Last incidents", page.incidents(known, lambda each: each.app == app.id)),
        *page.part("Bring it back", page.restore(app)),
        *page.part("Upgrade it", page.upgrade(app)),
        *page.part("Notes", page.notes(register.notes)),
    ]


def project_sheet(config: Config, colocation: Colocation, name: str, known: Known, now: datetime) -> list[str]:
    """The sheet of a project, then those of its apps."""
    page, project = _Sheet(config, now), config.projects[name]
    apps = [colocation.inventory.apps[app] for app in sorted(colocation.shares) if name in colocation.shares[app]]
    lines = [
        f"# {page.say('Handover sheet')}: {_safe(project.title or name)} ({_safe(name)})",
        "",
        page.written(),
        *page.part("Who", page.who([name], project.charter.reviewed, name)),
        *page.part("What was agreed", page.agreed([name], "")),
        *page.part("Apps", (f"{_safe(app.label)} ({_safe(app.id)})" for app in apps)),
        *page.part("Last incidents", page.incidents(known, lambda each: each.project == name)),
        *page.part("Notes", page.notes(project.charter.notes)),
    ]
    for app in apps:
        lines += ["", "---", "", *app_sheet(config, colocation, app, known, now)]
    return lines


class _Sheet:
    """Its parts, in the colocation's language."""

    def __init__(self, config: Config, now: datetime) -> None:
        self._config, self._now = config, now
        self._language = config.coloc.language

    def say(self, text: str) -> str:
        return _FRENCH[text] if self._language == "fr" else text

    def when(self, moment: datetime) -> str:
        return for_people(moment, self._config.zone)

    def written(self) -> str:
        return f"{_safe(self._config.coloc.name)}, {self.say('written on')} {self.when(self._now)}, " + self.say(
            "by coloc.yml and the server"
        )

    def part(self, title: str, lines: Iterable[str]) -> list[str]:
        return ["", f"## {self.say(title)}", "", *([f"- {line}" for line in lines] or [f"- {self.say('nothing')}"])]

    def who(self, projects: Sequence[str], review: Review | None, name: str) -> Iterator[str]:
        """The adminsys of its projects, and who has read the sheet lately."""
        today = self._now.astimezone(self._config.zone).date()
        for project in projects:
            people = sorted(people_of(self._config, project, today))
            yield f"{self.say('project')} {_safe(project)}: {', '.join(map(_safe, people)) or self.say('nothing')}"
        if review is not None and reviewers(self._config, review, today):
            yield f"{self.say('reviewed by')} {_safe(review.by)}, {review.on}"
        else:
            kind = "projects" if name in self._config.projects else "apps"
            where = f"`{kind}.{_code(name)}.charter.reviewed: {{by: NAME, on: {today}}}`"
            yield f"{self.say('never read by a second person')} — {self.say('put it down with')} {where}"

    def agreed(self, projects: Sequence[str], service: str) -> Iterator[str]:
        if service:
            yield f"{self.say('level of service')}: {service}"
        for name in projects:
            register: ProjectRegister = self._config.projects[name].charter
            if register.agreed:
                on = f" ({self.say('on')} {register.agreed_on})" if register.agreed_on else ""
                yield f"{_safe(name)}: {self.say('agreed')}: {_safe(register.agreed)}{on}"
            if register.users is not None:
                yield f"{_safe(name)}: {self.say('users')}: {register.users}"

    def where(self, app: App) -> Iterator[str]:
        yield f"{self.say('app')}: {_safe(app.base_id)}, {self.say('version')} {_safe(app.version or '?')}"
        for name, values in (
            ("address", app.urls),
            ("folder", app.folders),
            ("database", tuple(f"{each.kind} {each.name}" for each in app.databases)),
            ("unit", app.services),
            ("system user", (app.user,) if app.user else ()),
            ("cron", app.cron),
        ):
            for value in values:
                yield f"{self.say(name)}: `{_code(value)}`"

    def changed(self, files: Sequence[str]) -> Iterator[str]:
        for name in files[:_FILES]:
            yield f"`{_code(name)}` ({self.say('an upgrade may undo it')})"
        if len(files) > _FILES:
            yield f"… {self.say('and')} {len(files) - _FILES} {self.say('more')}"

    def backups(self, known: Known, app: str) -> Iterator[str]:
        if known.status is None:
            yield self.say("not known: the agent does not answer")
            return
        rows = [each for each in known.status.backups if each.app == app]
        for host in known.status.hosts:
            yield self._backup(host, next((each for each in rows if each.host == host), None))

    def _backup(self, host: str, row: BackupStatus | None) -> str:
        if row is None or row.last_success_at is None:
            return f"{_safe(host)}: {self.say('no backup')}"
        size = f", {figure(human_bytes(row.archive_bytes), self._language)}" if row.archive_bytes else ""
        drill = row.drill.whole_at if row.drill else None
        proven = self.when(drill) if drill else self.say("never")
        good = f"{self.say('last good one')} {self.when(row.last_success_at)}{size}"
        return f"{_safe(host)}: {good}; {self.say('proven by a restore')}: {proven}"

    def incidents(self, known: Known, is_ours: Callable[[IncidentStatus], bool]) -> Iterator[str]:
        if known.status is None:
            yield self.say("not known: the agent does not answer")
            return
        ours = [each for each in known.incidents if is_ours(each) and each.fired_at is not None]
        for each in sorted(ours, key=lambda each: each.id, reverse=True)[:_INCIDENTS]:
            over = self.when(each.resolved_at) if each.resolved_at else self.say("still open")
            yield f"{self.when(each.fired_at or self._now)} → {over}: {_safe(each.title)} (no. {each.id})"

    def restore(self, app: App) -> Iterator[str]:
        """The commands as they are typed, as root."""
        yield f"{self.say('what there is')}: `coloc-agent archives {_code(app.id)}`"
        yield f"{self.say('what would be done')}: `coloc-agent restore {_code(app.id)} --dry-run`"
        yield f"{self.say('all of it')}: `coloc-agent restore {_code(app.id)}`"
        if app.databases:
            yield f"{self.say('the database alone')}: `coloc-agent restore {_code(app.id)} --only database`"
        if not app.declared:
            yield f"{self.say('gone from the server')}: `coloc-agent restore {_code(app.id)} --yunohost`"
        yield f"{self.say('the way back')}: `coloc-agent restore undo {_code(app.id)}`"

    def upgrade(self, app: App) -> Iterator[str]:
        yield f"{self.say('first')}: `coloc-agent upgrade-check {_code(app.id)}`"
        declare = f'coloc-agent maintenance declare "…" --app {_code(app.id)} --for 1h --by NAME'
        yield f"{self.say('say it')}: `{declare}`"
        if not app.declared:
            yield f"{self.say('then')}: `yunohost app upgrade {_code(app.id)}`"

    def notes(self, words: str | None) -> Iterator[str]:
        yield from (_safe(line) for line in (words or "").splitlines() if line.strip())


def _safe(text: str) -> str:
    """Text from outside, as one line that is no markup."""
    return no_markup(plain(text))


def _code(text: str) -> str:
    """The same between backquotes."""
    return plain(text).replace("`", "'")
