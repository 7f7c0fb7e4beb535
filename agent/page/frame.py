"""The frame around every page: the document, its navigation, the reader's other language, the foot. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agent.page.paper import Paper, escape
from agent.page.part import Part, Sheet
from agent.page.style import STYLE

LANGUAGES = {"fr": "Français", "en": "English"}


def framed(paper: Paper, sheet: Sheet, parts: Sequence[Part], current: Part) -> str:
    """The whole document."""
    entries = "".join(_entry(paper, part, current=part is current) for part in parts)
    nav = f'<nav aria-label="{paper.word("Pages")}"><ul>{entries}</ul></nav>'
    head = f'<header><p class="coloc">{escape(paper.status.coloc)}</p>{nav}</header>'
    return document(paper, sheet, head, _foot(paper))


def document(paper: Paper, sheet: Sheet, head: str, foot: str, *, meta: str = "") -> str:
    """A document with a head and a foot of one's own."""
    return (
        f'<!doctype html><html lang="{paper.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{meta}'
        f"<title>{sheet.title} — {escape(paper.status.coloc)} — coloc-agent</title><style>{STYLE}</style></head><body>"
        f'<a class="skip" href="#content">{paper.word("To the content")}</a>'
        f'{head}<main id="content"><h1>{sheet.title}</h1>{sheet.body}</main>{foot}</body></html>'
    )


def languages(paper: Paper) -> str:
    """Links to the same page in the other language."""
    return " · ".join(
        f'<a href="?lang={code}" hreflang="{code}" lang="{code}">{name}</a>'
        for code, name in LANGUAGES.items()
        if code != paper.language
    )


def _entry(paper: Paper, part: Part, *, current: bool) -> str:
    mark = ' aria-current="page"' if current else ""
    return f'<li><a href="{paper.href(part.path)}"{mark}>{paper.word(part.entry)}</a></li>'


def _foot(paper: Paper) -> str:
    status, up = paper.status, paper.reader.up
    machine = f'<a href="{up}metrics">/metrics</a> · <a href="{up}api/v1/status">/api/v1/status</a>'
    return (
        f'<footer><p class="soft">{languages(paper)} · {paper.word("measured at")} {paper.time(status.at)} · '
        f"coloc-agent {escape(status.version)} · {machine}</p></footer>"
    )
