"""What the collectors saw last, as plain values that decisions and the page are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.rules import CollectorHealth, Filesystem
from coloc.model import Colocation


@dataclass(frozen=True, slots=True)
class Figures:
    """What an app or a project uses. None: not measured."""

    cpu_cores: float | None = None
    memory_bytes: float | None = None
    disk_bytes: float | None = None
    database_bytes: float | None = None
    processes: float | None = None

    def of(self, resource: str) -> float | None:
        """The figure of a quota's resource; None for what is not measured yet."""
        return {
            "cpu": self.cpu_cores,
            "memory": self.memory_bytes,
            "disk": self.disk_bytes,
            "database": self.database_bytes,
            "processes": self.processes,
        }.get(resource)


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the whole colocation."""

    colocation: Colocation
    app_up: Mapping[str, bool | None] = field(default_factory=dict)
    apps: Mapping[str, Figures] = field(default_factory=dict)
    projects: Mapping[str, Figures] = field(default_factory=dict)
    filesystems: tuple[Filesystem, ...] = ()
    collectors: tuple[CollectorHealth, ...] = ()
    blind_spots: tuple[str, ...] = ()
