"""What the agent knows at one moment, as plain values: the page, `coloc-agent status` and /api/v1/status show it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from agent.charter.point import CharterPoint
from coloc.times import iso


@dataclass(frozen=True, slots=True)
class AppStatus:
    """One app. Figures are None when they were not measured."""

    id: str
    label: str
    project: str
    state: str
    url: str
    version: str
    up: bool | None
    cpu_cores: float | None
    memory_bytes: float | None
    disk_bytes: float | None
    database_bytes: float | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldStatus:
    """What the helper holds for a limit, with its evidence."""

    step: str
    since: datetime
    used: float | None
    limit: float
    did: str
    call: str
    file: str
    says: str
    stands: bool
    pending: str


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """A project, or one app, against one of its limits."""

    resource: str
    used: float | None
    soft: float
    hard: float
    step: str
    since: datetime
    would_do: str
    would_have_acted: int
    app: str = ""  # "": of the whole project
    project: str = ""
    watched_since: datetime | None = None  # when its simulation began
    held: HeldStatus | None = None  # what is done about it
    why: str = ""  # why not more: a word of agent.enforcement
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FairUseStatus:
    """A project's part of the processor, what it used of it, how much of the time it waited, and because of whom."""

    project: str
    part: float
    used: float
    waited: float
    because_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """One project with its sums."""

    name: str
    title: str
    kind: str
    apps: tuple[str, ...]
    adminsys: tuple[str, ...]
    cpu_cores: float | None
    memory_bytes: float | None
    disk_bytes: float | None
    database_bytes: float | None
    quotas: tuple[QuotaStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class DrillStatus:
    """The last drill of one app at one backup host. ratio: what part the last good one proved; None: none did."""

    last_try_at: datetime
    ok: bool
    failure: str
    whole_at: datetime | None
    ratio: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class BackupStatus:
    """The last word on one app at one backup host."""

    app: str
    host: str
    last_try_at: datetime | None
    ok: bool
    failure: str
    last_success_at: datetime | None
    last_proven_at: datetime | None
    archive: str
    archive_bytes: int | None
    drill: DrillStatus | None = None


@dataclass(frozen=True, slots=True)
class IncidentStatus:
    """One incident that people were told of."""

    id: int
    severity: str
    phase: str
    title: str
    fired_at: datetime | None
    resolved_at: datetime | None
    acked_by: str
    silenced_until: datetime | None  # by whatever silence lasts longest
    rule: str = ""
    silence: int = 0  # the number of the silence that covers it, when one that was asked for ahead does
    cause: int = 0  # the number of the incident that it follows from, and so keeps quiet
    followers: int = 0  # how many follow from it
    told_at: datetime | None = None  # quiet hours: when its word will be said
    maintenance: int = 0  # the number of the maintenance that covers it
    app: str = ""  # of what it speaks, where it speaks of one
    project: str = ""


@dataclass(frozen=True, slots=True)
class SilenceStatus:
    """One silence that was asked for ahead and is not over. `covers` as people write it: `app=wiki rule=app_down`."""

    id: int
    begins_at: datetime
    ends_at: datetime
    by: str
    covers: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class MaintenanceStatus:
    """One maintenance. `phase`: declared, running, overrun, ended or cancelled; `about` "" is the whole server."""

    id: int
    title: str
    about: str
    phase: str
    begins_at: datetime
    ends_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    by: str
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at one moment."""

    coloc: str
    kind: str
    stage: str
    version: str
    timezone: str
    at: datetime
    started_at: datetime
    projects: tuple[ProjectStatus, ...]
    apps: tuple[AppStatus, ...]
    hosts: tuple[str, ...]
    backups: tuple[BackupStatus, ...]
    incidents: tuple[IncidentStatus, ...]
    collectors: Mapping[str, str]  # name → "" when well, else what is wrong
    outbox: Mapping[str, int]  # channel → messages that wait
    tests: Mapping[str, str] = field(default_factory=dict)  # test messages of the last hour → how they ended
    app_quotas: tuple[QuotaStatus, ...] = ()  # limits of single apps
    fair_use: tuple[FairUseStatus, ...] = ()  # nothing without slices
    enforcement: tuple[str, ...] = ()  # what is wrong with it, or waits, in a sentence each
    silences: tuple[SilenceStatus, ...] = ()
    maintenances: tuple[MaintenanceStatus, ...] = ()  # those that are not over, then the last ones
    blind_spots: tuple[str, ...] = ()  # what cannot be seen with the rights that the agent has
    charter: tuple[CharterPoint, ...] = ()  # points that are not kept, or relaxed; no names of people

    @property
    def open_incidents(self) -> tuple[IncidentStatus, ...]:
        """Those that are not over."""
        return tuple(incident for incident in self.incidents if incident.resolved_at is None)


@dataclass(frozen=True, slots=True)
class Past:
    """What `alerts --history` and `incident report` are told. `report`: Markdown, of the one that was asked for."""

    coloc: str
    incidents: tuple[IncidentStatus, ...]
    report: str = ""


def to_json(status: Status) -> dict[str, Any]:
    """The same as JSON values: times in ISO 8601, UTC."""
    return {key: plain(value) for key, value in asdict(status).items()}


def plain(value: Any) -> Any:
    """A value as JSON has them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no such number
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
