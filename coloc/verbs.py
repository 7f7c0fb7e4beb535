"""What the daemon may ask of the helper: a closed list of verbs with typed arguments, and the helper's answers.

One line of JSON each way. Standard library only: the helper, which is root, imports this and little else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

PROTOCOL = 1
SOCKET = Path("/run/coloc-agent-helper/socket")
MAX_REQUEST = 4096
MAX_ANSWER = 1024 * 1024
STEPS = ("throttle", "hard")
RESOURCES = (
    "cpu",
    "memory",
    "processes",
    "io",
    "disk",
    "files",
    "database",
    "database_connections",
    "mail_per_hour",
    "mail_per_day",
)
# verb → its arguments, all of them needed
VERBS: Mapping[str, tuple[str, ...]] = {
    "read": (),  # what is held, and what the kernel's files say of it
    "hold": ("project", "app", "resource", "step", "used"),
    "release": ("project", "app", "resource"),
    "move": ("project",),  # php workers that run outside the project's slice
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")  # as coloc.yml has it
_APP = re.compile(r"[A-Za-z0-9_.-]{0,80}")  # "": the whole project
_DATABASE_RESOURCES = frozenset({"database", "database_connections"})


class Refused(ValueError):
    """A request that is none of ours, in one sentence."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; what its verb does not need is empty."""

    verb: str
    project: str = ""
    app: str = ""
    resource: str = ""
    step: str = ""
    used: float | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What the helper holds for one limit, with its evidence. `stands`: the kernel agrees, or nothing runs yet."""

    project: str
    app: str
    resource: str
    step: str
    since: datetime
    used: float | None
    limit: float
    did: str  # what was done, as a person would say it
    call: str  # by which call
    file: str = ""  # the kernel's file, or what else was read back
    says: str = ""  # what it says now
    stands: bool = False
    pending: str = ""  # why it does not act yet: "pending restart"

    @property
    def key(self) -> tuple[str, str, str]:
        """Which limit: project, app, resource."""
        return self.project, self.app, self.resource


@dataclass(frozen=True, slots=True)
class Answer:
    """What the helper says. `why`: the sentence of a refusal, "" when it was done."""

    why: str = ""
    held: tuple[Held, ...] = ()
    cannot: Mapping[str, str] = field(default_factory=dict)  # resource → why it cannot be enforced here
    pending: Mapping[str, str] = field(default_factory=dict)  # unit → why it is not in its slice yet
    confirmed: tuple[tuple[str, str, str, str], ...] = ()
    busy: str = ""  # why nothing is held now


def needs_human(resource: str, step: str) -> bool:
    """True for what is done only after `coloc-agent quota confirm`."""
    return step == "hard" or resource in _DATABASE_RESOURCES


def request_line(ask: Ask) -> bytes:
    """One request, as it is sent."""
    arguments = {name: getattr(ask, name) for name in VERBS[ask.verb]}
    return json.dumps({"protocol": PROTOCOL, "verb": ask.verb, "arguments": arguments}).encode() + b"\n"


def parse_request(line: bytes) -> Ask:
    """The reverse, for what comes from anybody. Raises Refused for all but a verb of the list with its arguments."""
    data = _object(line, MAX_REQUEST)
    _same_protocol(data, "the daemon", "the helper")
    verb, arguments = data.get("verb"), data.get("arguments")
    if not isinstance(verb, str) or verb not in VERBS or set(data) != {"protocol", "verb", "arguments"}:
        raise Refused("that is not a verb of the helper")
    if not isinstance(arguments, dict) or set(arguments) != set(VERBS[verb]):
        raise Refused(f"{verb} takes {', '.join(VERBS[verb]) or 'nothing'}, and nothing else")
    for name, value in arguments.items():
        if not _fits(name, value):
            raise Refused(f"{name} cannot be that")
    return Ask(verb, **arguments)


def answer_line(answer: Answer) -> bytes:
    """One answer, as it is sent."""
    data = asdict(answer)
    data["held"] = [held_data(held) for held in answer.held]
    return json.dumps({"protocol": PROTOCOL} | data).encode() + b"\n"


def parse_answer(line: bytes) -> Answer:
    """The reverse. Raises Refused for anything else."""
    data = _object(line, MAX_ANSWER)
    _same_protocol(data, "the helper", "the daemon")
    try:
        return Answer(
            _text(data["why"]),
            tuple(held_from(each) for each in data["held"]),
            _texts(data["cannot"]),
            _texts(data["pending"]),
            tuple((_text(a), _text(b), _text(c), _text(d)) for a, b, c, d in data["confirmed"]),
            _text(data["busy"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused("the helper's answer cannot be read") from error


def held_data(held: Held) -> dict[str, Any]:
    """For a JSON file."""
    return asdict(held) | {"since": held.since.isoformat()}


def held_from(data: Mapping[str, Any]) -> Held:
    """The reverse. Raises ValueError, KeyError or TypeError for anything else."""
    since = datetime.fromisoformat(_text(data["since"]))
    used, limit = data["used"], data["limit"]
    if since.tzinfo is None or not _is_number(limit) or not (used is None or _is_number(used)):
        raise ValueError("not what is held")
    names = ("project", "app", "resource", "step")
    project, app, resource, step = (_text(data[name]) for name in names)
    if not (_fits("project", project) and _fits("app", app) and resource in RESOURCES and step in STEPS):
        raise ValueError("not what is held")
    did, call, file, says, pending = (_text(data[name]) for name in ("did", "call", "file", "says", "pending"))
    is_true = data["stands"] is True
    return Held(project, app, resource, step, since, used, limit, did, call, file, says, is_true, pending)


def by_key(held: Iterable[Held]) -> dict[tuple[str, str, str], Held]:
    """Each limit once."""
    return {each.key: each for each in held}


def _object(line: bytes, most: int) -> dict[str, Any]:
    if len(line) > most:
        raise Refused("that line is too long")
    try:
        data = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused("that is not a line of JSON") from error
    if not isinstance(data, dict):
        raise Refused("that is not a request")
    return data


def _same_protocol(data: Mapping[str, Any], they: str, we: str) -> None:
    spoken = data.get("protocol")
    if spoken != PROTOCOL or isinstance(spoken, bool):
        said = spoken if isinstance(spoken, int) and abs(spoken) < 10**6 else "another"
        raise Refused(
            f"{they} speaks version {said} of the helper's protocol and {we} version {PROTOCOL}: "
            "run deploy/install.sh again, then systemctl restart coloc-agent"
        )


def _fits(name: str, value: object) -> bool:
    if name == "used":
        return value is None or _is_number(value)
    if not isinstance(value, str):
        return False
    if name == "project":
        return _NAME.fullmatch(value) is not None
    if name == "app":
        return _APP.fullmatch(value) is not None and value not in {".", ".."}
    return value in (RESOURCES if name == "resource" else STEPS)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**63 and math.isfinite(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value[:2000]


def _texts(value: Any) -> dict[str, str]:
    return {_text(key): _text(each) for key, each in value.items()}
