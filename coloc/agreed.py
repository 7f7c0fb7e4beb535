"""What root wrote down of coloc.yml for the helper: whose limits may be acted on, and what belongs to whom.

The helper believes this file, which only root writes, and of the daemon no more than which step it wishes for. A shared
app, and whatever was not opted in, is not in it: the helper cannot touch it. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from coloc.errors import StateError

FOLDER = Path("/var/lib/coloc-agent-helper")
NAME = "agreed.json"
_MAX_BYTES = 4 * 1024 * 1024
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,200}\.(service|scope|socket)")
_PLAIN = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class AgreedLimit:
    """The two marks, and how far it may go."""

    soft: float
    hard: float
    allow: str


@dataclass(frozen=True, slots=True)
class AgreedApp:
    """What is this app's alone, and its own limits."""

    units: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()
    folders: tuple[str, ...] = ()
    mysql: tuple[str, ...] = ()  # databases
    postgresql: tuple[str, ...] = ()
    limits: Mapping[str, AgreedLimit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgreedProject:
    """A project: its weight among the others, its limits, and its own apps."""

    weight: int = 100
    limits: Mapping[str, AgreedLimit] = field(default_factory=dict)
    apps: Mapping[str, AgreedApp] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The whole file. `slices`: projects live in slices of their own."""

    slices: bool = False
    projects: Mapping[str, AgreedProject] = field(default_factory=dict)
    database_servers: Mapping[str, Any] = field(default_factory=dict)

    def resources(self) -> frozenset[str]:
        """Everything that may be acted on for somebody."""
        blocks = [project.limits for project in self.projects.values()]
        blocks += [app.limits for project in self.projects.values() for app in project.apps.values()]
        return frozenset(name for limits in blocks for name in limits)


@dataclass(frozen=True, slots=True)
class Target:
    """What a step acts on: a whole project or one app of it, and everything that is its own."""

    project: str
    app: str
    units: tuple[str, ...]
    uids: tuple[int, ...]
    folders: tuple[str, ...]
    mysql: tuple[str, ...]
    postgresql: tuple[str, ...]
    limits: Mapping[str, AgreedLimit]

    @property
    def slice(self) -> str:
        """The unit that holds all its processes."""
        return slice_name(self.project, self.app)


def target_of(agreed: Agreed, project: str, app: str) -> Target | None:
    """Who is meant; None for a project that is not there, or an app that is not its own."""
    found = agreed.projects.get(project)
    if found is None or (app and app not in found.apps):
        return None
    apps = [found.apps[app]] if app else [found.apps[name] for name in sorted(found.apps)]
    limits = found.apps[app].limits if app else found.limits
    return Target(
        project,
        app,
        tuple(unit for each in apps for unit in each.units),
        tuple(uid for each in apps for uid in each.uids),
        tuple(folder for each in apps for folder in each.folders),
        tuple(name for each in apps for name in each.mysql),
        tuple(name for each in apps for name in each.postgresql),
        limits,
    )


def slice_name(project: str, app: str = "") -> str:
    """`coloc-velo.slice`, `coloc-velo-blog.slice`: to systemd each dash is a level, so one in a name is escaped."""
    parts = ["coloc", escaped(project), *([escaped(app)] if app else [])]
    return f"{'-'.join(parts)}.slice"


def escaped(name: str) -> str:
    """A name as systemd wants it inside a unit's."""
    return "".join(sign if _PLAIN.fullmatch(sign) else f"\\x{ord(sign):02x}" for sign in name)


def slice_folder(name: str) -> str:
    """Where the kernel shows a slice, below /sys/fs/cgroup: each level lies in the one before."""
    parts = name.removesuffix(".slice").split("-")
    return "/".join(f"{'-'.join(parts[: end + 1])}.slice" for end in range(len(parts)))


def to_text(agreed: Agreed) -> str:
    """The file."""
    return json.dumps(asdict(agreed), sort_keys=True)


def parse_agreed(text: str) -> Agreed:
    """The reverse. Raises ValueError for anything else."""
    try:
        data = json.loads(text)
        projects = {name: _project(each) for name, each in data["projects"].items()}
        return Agreed(data["slices"] is True, projects, dict(data["database_servers"]))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not what was agreed: {error}") from error


def read_agreed(folder: Path = FOLDER, *, writer: int = 0) -> Agreed | None:
    """What root wrote down; None when nothing was. Raises StateError for a file that others could have written."""
    path = folder / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}", hint=_AGAIN) from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != writer or found.st_mode & 0o022:
            raise StateError(f"{path} is not a file that only root writes", hint=_AGAIN)
        data = file.read(_MAX_BYTES + 1)
    try:
        return parse_agreed(data.decode())
    except ValueError as error:
        raise StateError(f"{path} cannot be used: {error}"[:300], hint=_AGAIN) from error


_AGAIN = "write it anew: coloc-agent quota agree"


def _project(data: Any) -> AgreedProject:
    apps = {name: _app(each) for name, each in data["apps"].items()}
    return AgreedProject(int(data["weight"]), _limits(data["limits"]), apps)


def _app(data: Any) -> AgreedApp:
    units = tuple(_unit(each) for each in data["units"])
    uids = tuple(_uid(each) for each in data["uids"])
    folders, mysql, postgresql = (tuple(map(str, data[name])) for name in ("folders", "mysql", "postgresql"))
    return AgreedApp(units, uids, folders, mysql, postgresql, _limits(data["limits"]))


def _limits(data: Any) -> dict[str, AgreedLimit]:
    return {
        name: AgreedLimit(float(each["soft"]), float(each["hard"]), str(each["allow"])) for name, each in data.items()
    }


def _unit(value: object) -> str:
    if not isinstance(value, str) or not _UNIT.fullmatch(value):
        raise ValueError(f"{str(value)[:60]!r} is no unit")
    return value


def _uid(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**32 - 1:
        raise ValueError("root is nobody's, and a uid is a number")
    return value
