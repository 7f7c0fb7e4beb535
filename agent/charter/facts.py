"""What the checks of the charter judge: each app with its people, kind, last upgrade, backup and visitors. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from agent.charter.day_store import Watched
from agent.readings import Readings
from coloc.config.register import AppRegister, Introduced, Relaxation, Review
from coloc.config.whole import Config
from coloc.model import App, AppState, Colocation

# What everybody reads in public; what holds what people write to each other. Other kinds are at home anywhere.
CMS = frozenset({"publishing"})
CLOUD = frozenset({"communication", "office", "productivity_and_management", "social_media", "synchronization"})
_JUDGED = frozenset({AppState.OK, AppState.PARTIAL})


@dataclass(frozen=True, slots=True)
class AppFacts:
    """One app. `people`: who can look after it."""

    app: App
    category: str
    kind: str  # cms, cloud or empty
    projects: tuple[str, ...]
    people: frozenset[str]
    register: AppRegister
    relaxed: Mapping[str, Relaxation]
    upgraded_at: datetime | None = None
    is_backed_up: bool = False
    watched: Watched | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """An app, here (`server` is empty) or on another server."""

    app: str
    base: str
    category: str
    server: str = ""

    def __str__(self) -> str:
        return f"{self.app} ({self.server})" if self.server else self.app


@dataclass(frozen=True, slots=True)
class CharterFacts:
    """The whole colocation at one moment."""

    config: Config
    now: datetime
    apps: tuple[AppFacts, ...]
    elsewhere: tuple[Service, ...] = ()
    mailboxes: int | None = None

    @property
    def today(self) -> date:
        """The day that people have."""
        return self.now.astimezone(self.config.zone).date()


@dataclass(frozen=True, slots=True)
class Known:
    """What was measured and remembered of apps, by their ids."""

    categories: Mapping[str, str] = field(default_factory=dict)
    upgraded_at: Mapping[str, datetime] = field(default_factory=dict)
    backed_up: frozenset[str] = frozenset()
    watched: Mapping[str, Watched] = field(default_factory=dict)
    mailboxes: int | None = None


def known_from(readings: Readings, backed_up: frozenset[str], watched: Mapping[str, Watched]) -> Known:
    """What the collectors say of it."""
    boxes = readings.one("coloc_mailboxes_used")
    return Known(
        {labels["app"]: labels["category"] for labels, _ in readings.now("coloc_app_kind")},
        {
            labels["app"]: datetime.fromtimestamp(value, UTC)
            for labels, value in readings.now("coloc_app_upgraded_timestamp_seconds")
        },
        backed_up,
        watched,
        None if boxes is None else int(boxes),
    )


def charter_facts(
    config: Config, colocation: Colocation, known: Known, now: datetime, elsewhere: tuple[Service, ...] = ()
) -> CharterFacts:
    """The facts at `now`. Apps whose files cannot be believed are left out: they have incidents of their own."""
    today = now.astimezone(config.zone).date()
    apps = tuple(
        _app(config, colocation, app, known, today)
        for _, app in sorted(colocation.inventory.apps.items())
        if app.state in _JUDGED
    )
    return CharterFacts(config, now, apps, elsewhere, known.mailboxes)


def _app(config: Config, colocation: Colocation, app: App, known: Known, today: date) -> AppFacts:
    entry = config.apps.get(app.id)
    register = entry.charter if entry else AppRegister()
    projects = tuple(sorted(colocation.shares.get(app.id, {})))
    category = register.category or known.categories.get(app.id, "")
    people = {name for project in projects for name in people_of(config, project, today)}
    return AppFacts(
        app,
        category,
        register.kind or kind_of(category),
        projects,
        frozenset(people | reviewers(config, register.reviewed, today)),
        register,
        dict(_relaxations(config, projects)) | dict(register.relaxed),
        known.upgraded_at.get(app.id),
        app.id in known.backed_up,
        known.watched.get(app.id),
    )


def kind_of(category: str) -> str:
    """`cms`, `cloud`, or nothing for what is at home on both."""
    main, _, part = category.partition("/")
    if main in CMS and part != "analytics":
        return "cms"
    return "cloud" if main in CLOUD else ""


def people_of(config: Config, project: str, today: date) -> frozenset[str]:
    """Who can look after a project: its adminsys, and who read its handover sheet lately."""
    block = config.projects.get(project)
    if block is None:
        return frozenset()
    return frozenset(block.adminsys) | reviewers(config, block.charter.reviewed, today)


def reviewers(config: Config, review: Review | None, today: date) -> frozenset[str]:
    """A review counts for a while."""
    if review is None or today - review.on > timedelta(seconds=config.charter.review_after):
        return frozenset()
    return frozenset({review.by})


def _relaxations(config: Config, projects: tuple[str, ...]) -> Iterator[tuple[str, Relaxation]]:
    """What all the projects of an app have relaxed; the first to be looked at again counts."""
    blocks: list[Introduced] = [config.projects[name].charter for name in projects if name in config.projects]
    for check in set.intersection(*(set(block.relaxed) for block in blocks)) if blocks else ():
        yield check, min((block.relaxed[check] for block in blocks), key=lambda each: each.review)
