"""Answers requests for the page: which part, in which language, and only what the browser has not already."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from agent.page.frame import LANGUAGES, framed
from agent.page.paper import Paper, Reader
from agent.page.part import Part, Sheet
from agent.page.parts import PARTS
from agent.page.remembered import Remembered
from agent.page.style import STYLE_HASH
from agent.page.words import language_of
from agent.status import Status
from agent.web import Request, Response, Route

HTML = "text/html; charset=utf-8"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_CACHE: Mapping[str, str] = {"Vary": "Accept-Language", "Cache-Control": "private, no-cache"}
NOTHING_YET = Response(b"not ready yet\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})
_MOST_LETTERS = 300  # of a name in a path


@dataclass(frozen=True, slots=True)
class Shelf:
    """What pages are made from. `language`: the colocation's own."""

    status: Callable[[], Status | None]
    language: str
    remembered: Remembered


def page_routes(shelf: Shelf) -> dict[str, Route]:
    """Every path of the page; one that ends with `/` holds all right below it."""
    routes: dict[str, Route] = {}
    for part in PARTS:
        routes[f"/{part.path}"] = _route(part, shelf)
        if part.one is not None:
            routes[f"/{part.path}/"] = _route(part, shelf)
    return routes


def _route(part: Part, shelf: Shelf) -> Route:
    def route(request: Request) -> Response:
        status = shelf.status()
        return NOTHING_YET if status is None else answer(part, status, request, shelf)

    return route


def answer(part: Part, status: Status, request: Request, shelf: Shelf, parts: Sequence[Part] = PARTS) -> Response:
    """One page, or that there is none."""
    below = request.path[len(part.path) + 2 :]
    reader = reader_of(request, shelf.language, up="../" if below else "")
    paper = Paper(status, reader, shelf.remembered)
    sheet = _sheet(part, paper, below)
    if sheet is None:
        gone = Sheet(paper.word("There is no such page"), f"<p>{paper.link('', paper.word('Now'))}</p>")
        return Response(framed(paper, gone, parts, part).encode(), HTML, HTTPStatus.NOT_FOUND, {**HEADERS, **_CACHE})
    body = framed(paper, sheet, parts, part).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {**HEADERS, **_CACHE, "ETag": tag}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(b"", HTML, HTTPStatus.NOT_MODIFIED, headers)
    return Response(body, HTML, headers=headers)


def reader_of(request: Request, language: str, *, up: str) -> Reader:
    """The language that was asked for by hand, else the browser's, else the colocation's."""
    asked = request.query.get("lang", ("",))[-1]
    if asked in LANGUAGES:
        return Reader(asked, up, chose=True)
    return Reader(language_of(request.headers.get("Accept-Language", ""), language), up)


def _sheet(part: Part, paper: Paper, below: str) -> Sheet | None:
    if not below:
        return part.sheet(paper)
    name = unquote(below, errors="surrogateescape")
    if part.one is None or len(name) > _MOST_LETTERS or "/" in below:
        return None
    return part.one(paper, name)
