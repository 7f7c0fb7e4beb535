"""The keys of coloc.yml that describe projects, their people, their quotas and their apps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Annotated, Literal

from coloc.config.enforcement import Enforceable
from coloc.config.marks import Within
from coloc.config.register import AdminsysRegister, AppRegister, ProjectRegister
from coloc.config.values import ByteLimit, Described, Limit, NumberLimit, Place, Seconds


class Adminsys(Described):
    """A person who looks after apps. Only what messages need; nothing personal is required."""

    matrix: Annotated[str, Within(pattern=r"^@[^:\s]+:\S+$")] | None = None
    forum: str | None = None
    machine: bool = False  # looks after the machine: may act on every project's incidents
    age: tuple[Annotated[str, Within(pattern=r"^(age1[0-9a-z]+|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?)$")], ...] = ()
    charter: AdminsysRegister = AdminsysRegister()


class Quotas(Described):
    """What was agreed with a project. `10G` alone means hard 10G, soft 80 % of it."""

    cpu: NumberLimit | None = None  # cores
    memory: ByteLimit | None = None
    disk: ByteLimit | None = None
    database: ByteLimit | None = None
    processes: NumberLimit | None = None
    mail_per_hour: NumberLimit | None = None
    mail_per_day: NumberLimit | None = None
    io: ByteLimit | None = None  # a second, to and from the disks
    network: ByteLimit | None = None  # a second, sent by nginx
    files: NumberLimit | None = None
    database_connections: NumberLimit | None = None
    grace: Seconds = 7 * 86400.0
    allow: Literal["warn", "throttle", "hard"] = "warn"

    def limits(self) -> Iterator[tuple[str, Limit]]:
        """(resource, limit) of what is set, in the order above."""
        for resource in RESOURCES:
            limit = getattr(self, resource)
            if limit is not None:
                yield resource, limit

    def grace_of(self, limit: Limit) -> float:
        """Seconds between two steps of the ladder of one limit."""
        return self.grace if limit.grace is None else limit.grace

    def allowed(self, limit: Limit) -> str:
        """How far was agreed to go for one limit."""
        return limit.allow or self.allow


RESOURCES = (
    "cpu",
    "memory",
    "disk",
    "files",
    "database",
    "database_connections",
    "processes",
    "io",
    "network",
    "mail_per_hour",
    "mail_per_day",
)


class Project(Described):
    """One of the small projects that live here."""

    title: str = ""
    kind: Literal["volunteer", "informal", "association", "company"] = "volunteer"
    apps: tuple[str, ...] = ()  # ids, or patterns such as wordpress*
    adminsys: tuple[str, ...] = ()
    quotas: Quotas = Quotas()
    enforce: tuple[Enforceable, ...] = ()
    share: Annotated[float, Within(gt=0, le=100)] = 1.0  # its part when others want the processor too
    room: Annotated[str, Within(pattern=r"^[!#]\S+$")] | None = None
    public_link_file: Place | None = None  # the secret of its public page's address; none: it has no such page
    charter: ProjectRegister = ProjectRegister()


class DeclaredDatabase(Described):
    """A database that coloc.yml names: `name` is a path when the kind is sqlite."""

    kind: Literal["mysql", "postgresql", "sqlite"]
    name: Annotated[str, Within(min_length=1)]


class AppEntry(Described):
    """What coloc.yml says of an app: who shares it; and, without YunoHost, what it is made of."""

    shared_by: dict[str, Annotated[float, Within(gt=0)]] = field(default_factory=dict)
    quotas: Quotas = Quotas()  # of this app alone, beside those of its project
    enforce: tuple[Enforceable, ...] = ()
    service: Literal["best_effort", "standard", "high"] = "best_effort"
    label: str | None = None
    folders: tuple[Annotated[str, Within(pattern=r"^/")], ...] = ()
    user: str | None = None
    units: tuple[str, ...] = ()
    databases: tuple[DeclaredDatabase, ...] = ()
    domain: str | None = None
    path: str = "/"
    redis_db: Annotated[int, Within(ge=0, le=65535)] | Literal["cache"] | None = None  # cache: not worth saving
    before_backup: tuple[str, ...] = ()  # root's own programs, with their arguments
    after_backup: tuple[str, ...] = ()  # undoes what the one before did, always
    drill_command: tuple[str, ...] = ()  # tries what a drill brought back
    charter: AppRegister = AppRegister()

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """What root runs for this app."""
        return tuple(each for each in (self.before_backup, self.after_backup, self.drill_command) if each)

    @property
    def is_declared(self) -> bool:
        """True when the entry describes an app by itself, so that it exists without YunoHost."""
        return bool(self.folders or self.user or self.units or self.databases)
