"""A point of the charter that is not kept, as a plain value: never a person's name, only what apps and projects are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CharterPoint:
    """One point. `of`: app, project, service (a kind of app), people or server; `subject` is empty for the last two."""

    check: str
    of: str
    subject: str = ""
    names: tuple[str, ...] = ()  # apps, or files
    count: int = 0
    link: str = ""
    since: datetime | None = None
    relaxed_until: str = ""  # a date: until then the colocation has agreed to live with it
    review_due: bool = False  # it was relaxed, and that is to be looked at again
