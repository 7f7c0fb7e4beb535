"""What every page is written on: one status for one reader, and how words, times, links and tables look. Pure.

All its methods return HTML; every text from outside passes `escape`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape as _escape
from urllib.parse import quote
from zoneinfo import ZoneInfo

from agent.page.figures import cores, figure, human_bytes
from agent.page.remembered import Remembered, Told
from agent.page.words import word
from agent.status import Status
from coloc.model import NO_PROJECT, SHARED
from coloc.times import for_people

# Signs that reverse the direction of what follows: a name could otherwise hide or forge the words behind it.
_TURNS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def escape(text: str) -> str:
    """A text from outside as HTML: nothing in it is markup, turns the writing around, or cannot be sent."""
    plain = text.translate(_TURNS).encode("utf-8", "replace").decode()
    return _escape("".join(sign if sign.isprintable() else " " for sign in plain))


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and where: `up` leads from this page to the root, so that any prefix of a proxy's works."""

    language: str
    up: str = ""
    chose: bool = False  # the language by hand: links keep it


class Paper:
    """One status for one reader."""

    def __init__(self, status: Status, reader: Reader, remembered: Remembered | None = None) -> None:
        self.status, self.reader = status, reader
        self.remembered: Remembered = remembered or Told()
        self.language = reader.language
        self.zone = ZoneInfo(status.timezone)

    def word(self, text: str) -> str:
        """One of our words in the reader's language."""
        return escape(word(text, self.language))

    def plain(self, text: str) -> str:
        """The same, not yet HTML: for `commands`."""
        return word(text, self.language)

    def figure(self, text: str) -> str:
        """A figure as the reader's language writes it."""
        return figure(text, self.language)

    def time(self, moment: datetime | None) -> str:
        """A moment with its offset, or `never`."""
        if moment is None:
            return self.word("never")
        return f'<time datetime="{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}">{for_people(moment, self.zone)}</time>'

    def day(self, moment: datetime | None) -> str:
        """Only its date, where the hour says nothing."""
        if moment is None:
            return self.word("never")
        day = f"{moment.astimezone(self.zone):%Y-%m-%d}"
        return f'<time datetime="{day}">{day}</time>'

    @property
    def colon(self) -> str:
        """What stands between a word and what it is: French has a space before it."""
        return "\u00a0: " if self.language == "fr" else ": "

    def href(self, path: str) -> str:
        """Where a page is, from here: `path` of ours, its names quoted by `place`."""
        return f"{self.reader.up}{path or ('' if self.reader.up else './')}{self._lang}"

    def link(self, path: str, text: str) -> str:
        """A link to a page of ours; `text` is HTML."""
        return f'<a href="{self.href(path)}">{text}</a>'

    @property
    def _lang(self) -> str:
        return f"?lang={self.language}" if self.reader.chose else ""

    def app(self, app: str) -> str:
        """An app's name, linked to its page."""
        return self.link(place("apps", app), escape(app))

    def project(self, name: str) -> str:
        """A project as people call it, linked to its page; or that it is of several, or of none."""
        if name in {SHARED, NO_PROJECT}:
            return self.word("shared" if name == SHARED else "no project")
        titles = {each.name: each.title for each in self.status.projects}
        text = escape(titles.get(name) or name)
        return self.link(place("projects", name), text) if name in titles else text

    def table(
        self, heads: Sequence[str], rows: Iterable[Sequence[str]], *, names: Sequence[str] = (), caption: str = ""
    ) -> str:
        """heads: our words; names: further heads as people chose them; rows of cells, the first one names the row."""
        texts = [*(self.word(text) for text in heads), *(escape(name) for name in names)]
        head = "".join(f'<th scope="col">{text}</th>' for text in texts)
        # On a phone each row is a list: its cells bear their heads.
        labels = [f'<td data-head="{text}"' for text in texts]
        lines = "".join(
            f"<tr>{''.join(cell.replace('<td', label, 1) for cell, label in zip(row, labels, strict=True))}</tr>"
            for row in rows
        )
        label = caption or self.word(heads[0])
        return (
            f'<div class="box" role="region" tabindex="0" aria-label="{label}"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{lines}</tbody></table></div>"
        )

    def figures(self, cpu: float | None, *sizes: float | None) -> list[str]:
        """Cells: processors, then sizes."""
        return [
            f'<td class="n">{self.figure(text)}</td>' for text in (cores(cpu), *(human_bytes(size) for size in sizes))
        ]

    def commands(self, *lines: tuple[str, Sequence[str]]) -> str:
        """What to type: (one of our words, the command's arguments), each quoted for the shell."""
        items = "".join(
            f"<li>{self.word(what)}{self.colon}<code>{escape(shlex.join(('coloc-agent', *arguments)))}</code></li>"
            for what, arguments in lines
        )
        return f"<h2>{self.word('To type on the server')}</h2><ul>{items}</ul>"


def place(part: str, name: str) -> str:
    """The path of one thing in a part, safe in a link; a folder's name need not be UTF-8."""
    try:
        return f"{part}/{quote(name, safe='', errors='surrogateescape')}"
    except UnicodeEncodeError:
        return part


def cells(*texts: str) -> list[str]:
    """Texts, HTML already, as the cells of a row."""
    return [f"<td>{text}</td>" for text in texts]
