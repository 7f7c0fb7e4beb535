"""The keys of coloc.yml that hold the register of the charter: what was agreed, who was presented, what is relaxed.

All of it is optional. It stays in the file: names of people go into no metric and no message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import date, datetime
from typing import Annotated, Any, Literal

from coloc.config.marks import CheckedBy, ReadBy, Within
from coloc.config.mistakes import nearest
from coloc.config.values import Described, as_word

# The checks of the charter, and of whom each speaks: a relaxation stands in a block of that kind.
CHECKS: Mapping[str, tuple[str, ...]] = {
    "bus_factor": ("apps", "projects"),
    "undeclared": ("apps",),
    "unpresented": ("apps", "adminsys"),
    "no_charter": ("adminsys",),
    "wrong_server": ("apps", "projects"),
    "several_instances": ("apps", "projects"),
    "same_kind": ("apps", "projects"),
    "already_offered": ("apps", "projects"),
    "changed_files": ("apps", "projects"),
    "mail_without_need": ("apps", "projects"),
    "mailboxes": (),
    "no_upgrade": ("apps", "projects"),
    "unused": ("apps", "projects"),
    "no_backup": ("apps", "projects"),
}


def _day(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return datetime.strptime(as_word(value) if isinstance(value, str) else "", "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise ValueError("write a date such as 2026-03-14") from error


def _known_check(name: str) -> str:
    if name not in CHECKS:
        raise ValueError(f"is not a check that I know{nearest(name, CHECKS)}")
    return name


def _meeting(value: object) -> object:
    """`2026-03-14` alone is the day of the meeting."""
    return value if isinstance(value, Mapping) or value is None else {"on": value}


Day = Annotated[date, ReadBy(_day)]
CheckName = Annotated[str, CheckedBy(_known_check)]
Words = Annotated[str, Within(min_length=1, max_length=2000)]  # what people say in their own words
Category = Annotated[str, Within(pattern=r"^[a-z_]{1,40}(/[a-z_]{1,40})?$")]  # as YunoHost's catalog calls them
Hours = Literal["0-2", "2-5", "5-10", "10-20", "20-40", "40+"]  # a month; coarse on purpose: never a timesheet


class Relaxation(Described):
    """A check that was relaxed: why, since when, and when it is looked at again."""

    reason: Words
    on: Day
    review: Day

    def __post_init__(self) -> None:
        if self.review <= self.on:
            raise ValueError("review: must come after on:")


class Presented(Described):
    """The meeting at which something, or somebody, was presented."""

    on: Day
    meeting: Words | None = None


class Introduced(Described):
    """How somebody, or something, came in."""

    proposed: Day | None = None
    presented: Annotated[Presented | None, ReadBy(_meeting)] = None
    accepted: Day | None = None
    accepted_by: Literal["cooptation", "board"] | None = None
    local_contact: Words | None = None
    vouched_by: Words | None = None
    relaxed: dict[CheckName, Relaxation] = field(default_factory=dict)


class Review(Described):
    """A second person has read the handover sheet and could take over."""

    by: Words
    on: Day


class HoursGiven(Described):
    """Volunteer hours a month."""

    infrastructure: Hours | None = None
    app: Hours | None = None


class ProjectRegister(Introduced):
    """What was agreed with a project. Its level of service is that of its apps: `apps.*.service`."""

    agreed: Words | None = None
    agreed_on: Day | None = None
    users: Annotated[int, Within(ge=0, le=10_000_000)] | None = None
    hours: HoursGiven = HoursGiven()
    social_value: Words | None = None
    reviewed: Review | None = None
    notes: Words | None = None  # for whoever takes over


class AppRegister(Introduced):
    """An app in the register."""

    kind: Literal["cms", "cloud"] | None = None  # where YunoHost's catalog does not tell, or is wrong
    category: Category | None = None
    reviewed: Review | None = None
    notes: Words | None = None


class AdminsysRegister(Introduced):
    """A person in the register."""

    member: bool | None = None
    accepted_charter: Day | None = None  # the adminsys' charter
    skills: tuple[Words, ...] = ()


def wrong_relaxations(data: Mapping[Any, Any]) -> Iterator[tuple[list[Any], str]]:
    """Checks that are relaxed where they never speak: (place, words). It takes data as it was written."""
    for kind in ("projects", "apps", "adminsys"):
        blocks = data.get(kind)
        for name, block in blocks.items() if isinstance(blocks, Mapping) else ():
            charter = block.get("charter") if isinstance(block, Mapping) else None
            relaxed = charter.get("relaxed") if isinstance(charter, Mapping) else None
            for check in relaxed if isinstance(relaxed, Mapping) else ():
                kinds = CHECKS.get(check) if isinstance(check, str) else None
                if kinds is not None and kind not in kinds:
                    where = " or ".join(kinds) or "nothing that can be relaxed"
                    yield [kind, name, "charter", "relaxed", check], f"speaks of {where}, not of {kind}"
