"""A project's public page, for whoever has its secret link: how its apps are, and nothing about any person.

No name of an adminsys, a backup host or another project, no text of an incident, no figure of another project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from agent.page.frame import document, languages
from agent.page.paper import Paper, cells, escape
from agent.page.part import Sheet
from agent.page.projects import incidents_of, quota_line
from agent.page.public_links import PublicLinks
from agent.page.routes import HEADERS, HTML, NOTHING_YET, Shelf, reader_of
from agent.page.use import use_curves
from agent.status import AppStatus, IncidentStatus, ProjectStatus
from agent.web import Request, Response, Route

PUBLIC = "/public/"
_ROBOTS = "noindex, nofollow, noarchive"
_NOT_FOUND = Response(b"not found\n", status=HTTPStatus.NOT_FOUND)


def public_route(shelf: Shelf, links: PublicLinks) -> Route:
    """`/public/SECRET`. A wrong one is not found, as any other path."""

    def route(request: Request) -> Response:
        project = links.project_of(request.path[len(PUBLIC) :])
        if project is None:
            return _NOT_FOUND
        status = shelf.status()
        if status is None:
            return NOTHING_YET
        paper = Paper(status, reader_of(request, shelf.language, up="../"), shelf.remembered)
        text = public_page(paper, project)
        if text is None:
            return _NOT_FOUND
        headers = {**HEADERS, "Cache-Control": "no-store", "X-Robots-Tag": _ROBOTS, "Vary": "Accept-Language"}
        return Response(text.encode(), HTML, headers=headers)

    return route


def public_page(paper: Paper, name: str) -> str | None:
    """The whole document; None while nothing is known of the project."""
    status = paper.status
    project = next((each for each in status.projects if each.name == name), None)
    if project is None:
        return None
    apps = [app for app in status.apps if app.id in project.apps]
    still_open = [each for each in incidents_of(status, project) if each.resolved_at is None]
    quotas = "".join(f"<li>{quota_line(paper, quota)}</li>" for quota in project.quotas)
    body = (
        _verdict(paper, still_open),
        f"<h2>{paper.word('Apps')}</h2>",
        _apps(paper, apps),
        f"<h2>{paper.word('Use and quotas')}</h2>",
        f"<ul>{quotas}</ul>" if quotas else f"<p>{paper.word('No quota was agreed')}</p>",
        use_curves(paper, project.quotas, project=name),
    )
    told = paper.word("Whoever has the address of this page can read it; it names nobody")
    foot = (
        f'<footer><p class="soft">{languages(paper)} · {paper.word("measured at")} {paper.time(status.at)} · {told}</p>'
        "</footer>"
    )
    head = f'<header><p class="coloc">{escape(status.coloc)}</p></header>'
    meta = f'<meta name="robots" content="{_ROBOTS}">'
    return document(paper, Sheet(_title(project), "".join(body)), head, foot, meta=meta)


def _title(project: ProjectStatus) -> str:
    return escape(project.title or project.name)


def _verdict(paper: Paper, still_open: Sequence[IncidentStatus]) -> str:
    if not still_open:
        return f'<p class="good">{paper.word("All is well")}</p>'
    one, many = paper.word("One incident is open"), paper.word("{number} incidents are open")
    said = one if len(still_open) == 1 else many.format(number=len(still_open))
    since = min((each.fired_at for each in still_open if each.fired_at), default=None)
    return f'<p class="bad">{said} · {paper.word("Since")} {paper.time(since)}</p>'


def _apps(paper: Paper, apps: Sequence[AppStatus]) -> str:
    heads = ("App", "State", "Last backup", "Proven", "Backup hosts that hold it")
    return paper.table(heads, [_app(paper, app) for app in apps])


def _app(paper: Paper, app: AppStatus) -> list[str]:
    mine = [backup for backup in paper.status.backups if backup.app == app.id]
    saved = max((each.last_success_at for each in mine if each.last_success_at), default=None)
    proven = max((each.last_proven_at for each in mine if each.last_proven_at), default=None)
    holding = sum(each.last_success_at is not None for each in mine)
    state = paper.word({True: "running", False: "down", None: "unknown"}[app.up])
    kind = {True: "good", False: "bad", None: "soft"}[app.up]
    named = f'{escape(app.label or app.id)}<br><span class="soft">{escape(app.url)}</span>'
    return cells(named, f'<span class="{kind}">{state}</span>', paper.day(saved), paper.day(proven), str(holding))
