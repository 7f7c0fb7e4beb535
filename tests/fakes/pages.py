"""Every page of a status as a reader gets it, and a status full of names from outside. No server."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.message import Message
from html.parser import HTMLParser
from http import HTTPStatus

from agent.charter.day_book import DayOfApp
from agent.page.paper import place
from agent.page.part import Part
from agent.page.parts import PARTS
from agent.page.remembered import Remembered, SavedDay, Told
from agent.page.routes import Shelf, answer
from agent.status import AppStatus, BackupStatus, IncidentStatus, MaintenanceStatus, ProjectStatus, QuotaStatus, Status
from agent.web import Request, Response

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script>\"&'\u202eevil\u2066\x1b[31m\udce9"
VOID = {"meta", "br"}


def status(name: str = "blog", apps: int = 1) -> Status:
    """A project of so many apps, all called so, with one incident that is open."""
    ids = [f"{name}{number}" if apps > 1 else name for number in range(apps)]
    return Status(
        coloc=name,
        kind="cloud",
        stage="alert",
        version="0.1.0",
        timezone="Europe/Paris",
        at=NOW,
        started_at=NOW,
        projects=(
            ProjectStatus(
                name, name, "association", tuple(ids), (name,), 0.5, 1e9, None, 2e6,
                (QuotaStatus("disk", 90.0, 80.0, 100.0, "warn", NOW, "tell the project", 0),),
            ),
        ),
        apps=tuple(
            AppStatus(each, name, name, "ok", f"https://{name}/", name, True, 0.123, 1e8, 5e9, None, (name,))
            for each in ids
        ),
        hosts=(name, "merle"),
        backups=tuple(
            BackupStatus(each, host, NOW, host != name, name, NOW, NOW, "archive", 12)
            for each in ids for host in (name, "merle")
        ),
        incidents=(
            IncidentStatus(7, "critical", "firing", name, NOW, None, name, NOW + timedelta(hours=1), app=ids[0]),
        ),
        collectors={name: name},
        outbox={name: 3},
        blind_spots=(name,),
        maintenances=(
            MaintenanceStatus(3, name, name, "overrun", NOW, NOW, NOW, None, name, (name,)),
            MaintenanceStatus(2, name, "", "declared", NOW, NOW, None, None, name),
        ),
    )  # fmt: skip


def ask(
    shown: Status,
    path: str = "/",
    language: str = "fr",
    *,
    lang: str = "",
    remembered: Remembered = Told(),  # noqa: B008 - a value
    **headers: str,
) -> Response:
    """What a browser is answered. `lang`: chosen by hand."""
    sent = Message()
    for name, value in {"Accept-Language": language, **headers}.items():
        sent[name.replace("_", "-")] = value
    query = {"lang": (lang,)} if lang else {}
    return answer(part_of(path), shown, Request(path, query, sent), Shelf(lambda: shown, "fr", remembered))


def render(shown: Status, language: str = "fr", path: str = "/", remembered: Remembered | None = None) -> str:
    """The document; without another word with a month that was remembered."""
    found = ask(shown, path, language, remembered=month(shown) if remembered is None else remembered)
    assert found.status is HTTPStatus.OK, path
    return found.body.decode()


def bare(text: str) -> str:
    """The document without the heads that its cells bear for a phone."""
    return re.sub(r' data-head="[^"]*"', "", text)


def month(shown: Status) -> Told:
    """Thirty days of nights and of use: one night failed, one did not happen, one day was not measured."""
    today, apps = shown.at.date(), tuple(app.id for app in shown.apps)
    saved, used = [], []
    for number in range(30):
        day = today - timedelta(days=29 - number)
        bad = apps if number == 11 else ()
        saved += [SavedDay(day, host, len(apps) - len(bad), bad) for host in shown.hosts if number != 20]
        for app in shown.apps if number != 15 else ():
            figures = {name: 86400.0 * (size + size * number / 60) for name, size in _USED.items()}
            used.append(DayOfApp(day.isoformat(), app.id, {app.project: 1.0}, 86400.0, figures))
    return Told(saved, used)


_USED = {"cpu_seconds": 0.05, "memory_byte_seconds": 2e8, "disk_byte_seconds": 3e9}


def part_of(path: str) -> Part:
    """The part that answers a path."""
    return next(part for part in PARTS if part.path == path.split("/")[1])


def paths_of(shown: Status) -> list[str]:
    """The path of every page that a status has."""
    things = {"projects": [each.name for each in shown.projects], "apps": [each.id for each in shown.apps]}
    below = [f"/{place(part, name)}" for part, names in things.items() for name in names]
    return [*(f"/{part.path}" for part in PARTS), *below]


class Page(HTMLParser):
    """Follows every tag to its end, and keeps words, tags, links and what stands in `code`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.code: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins: no attribute twice, none that could run anything."""
        self.tags.append(tag)
        assert len({name for name, _ in attrs}) == len(attrs)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It ends where it must."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Words between tags."""
        self.words.append(data)
        if self.open and self.open[-1] == "code":
            self.code.append(data)
