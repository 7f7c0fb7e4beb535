"""The whole of coloc.yml as one type; reading it is in reading."""

from __future__ import annotations

from dataclasses import field
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from coloc.config.alertmanager import Alertmanager, FromAlertmanager
from coloc.config.backups import Backup
from coloc.config.channels import Channels
from coloc.config.charter import Charter, OptionalCharter
from coloc.config.custom_rules import CustomRule
from coloc.config.documents import MAX_TOLD
from coloc.config.enforcement import Enforce, parse_enforce
from coloc.config.heartbeat import Heartbeat
from coloc.config.marks import ReadBy
from coloc.config.places import DatabaseServers, Listen, Paths, Sampling, parse_listen
from coloc.config.projects import Adminsys, AppEntry, Project
from coloc.config.rules import RuleChange, RuleName
from coloc.config.strangers import strangers
from coloc.config.values import (
    DayWindow,
    Described,
    Name,
    Place,
    Seconds,
    Zone,
    nothing_means_defaults,
    with_other_names,
)

DEFAULT_PATH = Path("/etc/coloc-agent/coloc.yml")
STAGES = ("observe", "backup", "alert", "enforce")


class Coloc(Described):
    """The colocation itself."""

    name: Name
    kind: Literal["cms", "cloud"] = "cloud"
    language: Literal["fr", "en"] = "fr"
    timezone: Zone = "Europe/Paris"


class Config(Described):
    """The whole of coloc.yml."""

    coloc: Coloc
    stage: Literal["observe", "backup", "alert", "enforce"] = "observe"
    listen: Annotated[Listen, ReadBy(parse_listen)] = Listen()
    projects: dict[Name, Project] = field(default_factory=dict)
    apps: dict[Name, AppEntry] = field(default_factory=dict)
    adminsys: dict[str, Annotated[Adminsys, ReadBy(nothing_means_defaults)]] = field(default_factory=dict)
    enforce: Annotated[Enforce | None, ReadBy(parse_enforce)] = None
    backup: Backup = Backup()
    channels: Channels = Channels()
    heartbeat: Heartbeat | None = None
    alertmanager: Alertmanager | None = None
    from_alertmanager: FromAlertmanager | None = None
    charter: OptionalCharter = Charter()
    rules: dict[RuleName, Annotated[RuleChange, ReadBy(with_other_names)]] = field(default_factory=dict)
    custom_rules: dict[Name, Annotated[CustomRule, ReadBy(with_other_names)]] = field(default_factory=dict)
    sampling: Sampling = Sampling()
    startup_quiet: Seconds = 60.0
    quiet_hours: DayWindow = "22:00-08:00"
    root: Place = Path("/")
    paths: Paths = Paths()
    database_servers: DatabaseServers = DatabaseServers()

    def __post_init__(self) -> None:
        unknown = list(islice(strangers(self.as_data()), MAX_TOLD))
        if unknown:
            raise ValueError("; ".join(f"{'.'.join(map(str, place))}: {words}" for place, words in unknown))

    def reaches(self, stage: str) -> bool:
        """True when the colocation has come at least as far as `stage`."""
        return STAGES.index(self.stage) >= STAGES.index(stage)

    def saves(self, project: str, host: str) -> bool:
        """True when apps of `project` go to `host`: a project with repositories of its own is in no shared one."""
        own = self.backup.hosts[host].project
        if own is not None:
            return own == project
        return not any(each.project == project for each in self.backup.hosts.values())

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which people read times."""
        return ZoneInfo(self.coloc.timezone)
