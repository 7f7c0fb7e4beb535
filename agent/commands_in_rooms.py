"""What people may ask for in a room, and who may: the words of a command, the rights of a person. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from agent.incidents import MAX_SILENCE, Incident
from coloc.config.values import parse_seconds
from coloc.config.whole import Config

# The words that people use → ours. French beside English; the first of each is what !help shows.
_VERBS: Mapping[str, str] = {
    "ack": "ack",
    "prendre": "ack",
    "silence": "silence",
    "sourdine": "silence",
    "maintenance": "maintenance",
    "status": "status",
    "statut": "status",
    "test": "test",
    "help": "help",
    "aide": "help",
}
DEFAULT_SILENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """A command as we understand it. `verb` "": not one of ours; `trouble`: it is, but its words are not."""

    verb: str
    incident: int | None = None
    span: timedelta = DEFAULT_SILENCE
    trouble: bool = False
    rest: str = ""  # what follows `!maintenance`, which is understood elsewhere


def understand(line: str) -> Wish:
    """What a line that begins with `!` asks for: `!ack 12`, `!silence 2h`, `!silence 12 2h`."""
    word, *rest = line[1:].split()
    verb = _VERBS.get(word.casefold(), "")
    if verb not in {"ack", "silence"}:
        rest_of_line = line[1:].strip().removeprefix(word).strip()
        return Wish(verb, rest=rest_of_line if verb == "maintenance" else "")
    number = rest[0].removeprefix("#") if rest else ""
    incident = int(number) if number.isascii() and number.isdecimal() and len(number) <= 12 else None
    left = rest[1:] if incident is not None else rest
    if verb == "ack":
        return Wish(verb, incident, trouble=bool(left))
    if not left:
        return Wish(verb, incident)
    try:
        span = timedelta(seconds=parse_seconds("".join(left)))
    except (ValueError, OverflowError):
        return Wish(verb, incident, trouble=True)
    return Wish(verb, incident, span, trouble=not timedelta(0) < span <= MAX_SILENCE)


def person_of(config: Config, sender: str) -> str | None:
    """The name, below `adminsys:`, of who wrote; None for anybody else."""
    return next((name for name, person in config.adminsys.items() if person.matrix == sender), None)


def people_of(config: Config) -> frozenset[str]:
    """The Matrix accounts of everybody who may ask for something."""
    return frozenset(person.matrix for person in config.adminsys.values() if person.matrix)


def may(config: Config, person: str, incident: Incident) -> bool:
    """Whether a person may act on an incident: on their own projects'; on what is the machine's or shared, all may."""
    return may_in(config, person, dict(incident.labels).get("project", ""))


def may_in(config: Config, person: str, name: str) -> bool:
    """The same of a project by its name, or what metrics call one: `_shared`, `_none`, ""."""
    project = config.projects.get(name)
    return project is None or not project.adminsys or person in project.adminsys or config.adminsys[person].machine


def listening_rooms(config: Config) -> tuple[str, ...]:
    """The rooms in which we take commands: the machine's and the projects'; never the community's help room."""
    matrix = config.channels.matrix
    if matrix is None:
        return ()
    rooms = [matrix.room, *(project.room for project in config.projects.values() if project.room)]
    return tuple(dict.fromkeys(room for room in rooms if room != matrix.help_room))


def lives_in(config: Config, incident: Incident, room: str) -> bool:
    """Whether a room may ask about an incident: the machine's room about all, a project's about its own."""
    matrix = config.channels.matrix
    project = config.projects.get(dict(incident.labels).get("project", ""))
    return matrix is not None and (room == matrix.room or (project is not None and project.room == room))
