"""The page for the colocation's meeting, in Markdown: what is to present, to look at again, what happened. Pure.

It is for people who ask for it and bring it along, so whoever is to present stands in it by their key of coloc.yml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from agent.page.figures import figure, human_bytes
from agent.status import BackupStatus, IncidentStatus, Status
from alerts.plain import no_markup, plain
from coloc.config.register import Introduced
from coloc.config.whole import Config
from coloc.times import for_people

_FRENCH: Mapping[str, str] = {
    "Meeting of the colocation": "Réunion de la colocation",
    "To present": "À présenter",
    "project": "projet",
    "app": "app",
    "proposed": "proposé le",
    "Relaxations to look at again": "Points relâchés à revoir",
    "since": "depuis le",
    "review": "à revoir le",
    "Incidents": "Incidents",
    "resolved": "rétabli le",
    "still open": "toujours en cours",
    "Backup hosts": "Hôtes de sauvegarde",
    "apps with a backup": "apps sauvegardées",
    "oldest of their last backups": "la plus ancienne de leurs dernières sauvegardes",
    "restores proven": "restaurations vérifiées",
    "Room left": "Place restante",
    "free of": "libres sur",
    "on": "sur",
    "nothing": "rien",
}


@dataclass(frozen=True, slots=True)
class Room:
    """A filesystem of the server."""

    place: str
    free: float
    size: float


def agenda(
    config: Config, status: Status, incidents: Iterable[IncidentStatus], rooms: Iterable[Room], *, days: int
) -> list[str]:
    """The page as lines. Incidents are those of the last `days`; relaxations those due within the next."""
    page = _Agenda(config)
    until = status.at.astimezone(config.zone).date() + timedelta(days=days)
    lately = status.at - timedelta(days=days)
    return [
        f"# {page.say('Meeting of the colocation')} {_safe(config.coloc.name)} ({page.day(status.at)})",
        *page.part("To present", page.to_present(app.id for app in status.apps)),
        *page.part("Relaxations to look at again", page.relaxations(until)),
        *page.part("Incidents", page.incidents(incidents, lately)),
        *page.part("Backup hosts", page.hosts(status.hosts, status.backups)),
        *page.part("Room left", page.rooms(rooms)),
    ]


class _Agenda:
    """Its parts, in the colocation's language."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._language = config.coloc.language

    def say(self, text: str) -> str:
        return _FRENCH[text] if self._language == "fr" else text

    def day(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._config.zone):%Y-%m-%d}"

    def part(self, title: str, lines: Iterable[str]) -> list[str]:
        return ["", f"## {self.say(title)}", "", *([f"- {line}" for line in lines] or [f"- {self.say('nothing')}"])]

    def to_present(self, apps: Iterable[str]) -> Iterator[str]:
        """Projects, apps and adminsys that no meeting has seen."""
        known = self._config
        blocks: list[tuple[str, str, Introduced | None]] = [
            *(("project", name, project.charter) for name, project in known.projects.items()),
            *(("app", name, known.apps[name].charter if name in known.apps else None) for name in sorted(apps)),
            *(("adminsys", name, person.charter) for name, person in known.adminsys.items()),
        ]
        for kind, name, block in blocks:
            if block is None or block.presented is None:
                proposed = f" ({self.say('proposed')} {block.proposed})" if block and block.proposed else ""
                yield f"{kind if kind == 'adminsys' else self.say(kind)} {_safe(name)}{proposed}"

    def relaxations(self, until: date) -> Iterator[str]:
        """What was relaxed and is to be looked at again, the oldest first."""
        known = self._config
        blocks: list[tuple[str, Introduced]] = [
            *((name, project.charter) for name, project in known.projects.items()),
            *((name, app.charter) for name, app in known.apps.items()),
            *((name, person.charter) for name, person in known.adminsys.items()),
        ]
        due = [
            (relaxed.review, name, check, relaxed)
            for name, block in blocks
            for check, relaxed in block.relaxed.items()
            if relaxed.review <= until
        ]
        for review, name, check, relaxed in sorted(due, key=lambda each: each[:3]):
            dates = f"{self.say('since')} {relaxed.on}, {self.say('review')} {review}"
            yield f"{_safe(name)}, `{check}`: {_safe(relaxed.reason)} ({dates})"

    def incidents(self, incidents: Iterable[IncidentStatus], lately: datetime) -> Iterator[str]:
        """Those that began lately, and those that still last."""
        for each in sorted(incidents, key=lambda each: each.id):
            if each.fired_at is None or (each.fired_at < lately and each.resolved_at is not None):
                continue
            over = self.say("still open")
            if each.resolved_at is not None:
                over = f"{self.say('resolved')} {for_people(each.resolved_at, self._config.zone)}"
            yield f"{for_people(each.fired_at, self._config.zone)}: {_safe(each.title)} (no. {each.id}), {over}"

    def hosts(self, hosts: Iterable[str], backups: Iterable[BackupStatus]) -> Iterator[str]:
        """Of how many apps each has a good backup, how old the oldest is, and how many were proven by a restore."""
        rows = tuple(backups)
        for host in hosts:
            here = [each for each in rows if each.host == host]
            saved = [each.last_success_at for each in here if each.last_success_at is not None]
            proven = sum(each.last_proven_at is not None for each in here)
            oldest = f", {self.say('oldest of their last backups')}: {self.day(min(saved))}" if saved else ""
            yield (
                f"{_safe(host)}: {self.say('apps with a backup')}: {len(saved)}/{len(here)}{oldest}, "
                f"{self.say('restores proven')}: {proven}"
            )

    def rooms(self, rooms: Iterable[Room]) -> Iterator[str]:
        """What is free on the server."""
        for room in rooms:
            free, size = (figure(human_bytes(each), self._language) for each in (room.free, room.size))
            yield f"{free} {self.say('free of')} {size} {self.say('on')} {_safe(room.place)}"


def _safe(text: str) -> str:
    """Text from outside, as one line that is no markup."""
    return no_markup(plain(text))
