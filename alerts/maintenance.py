"""What people read of a maintenance: the message that is edited, its lines in the thread, the reminder. Pure.

No person is named in a room or on the forum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from alerts.plain import plain
from alerts.words import n_
from coloc.language import Translate, translator
from coloc.outbox import Message
from coloc.times import for_people

_HEADS: Mapping[str, tuple[str, str]] = {
    "declared": ("🔧", n_("Maintenance declared: {title}")),
    "running": ("🔧", n_("Maintenance in progress: {title}")),
    "overrun": ("⏳", n_("Maintenance overruns: {title}")),
    "ended": ("✅", n_("Maintenance over: {title}")),
    "cancelled": ("✖", n_("Maintenance cancelled: {title}")),
}
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class MaintenanceText:
    """The facts of a maintenance that a message needs. `about`: the names of what it concerns; "" is everything."""

    id: int
    title: str
    about: str
    phase: str  # declared | running | overrun | ended | cancelled
    begins_at: datetime
    ends_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    broken: tuple[str, ...] = ()


def maintenance_message(one: MaintenanceText, language: str, zone: ZoneInfo) -> Message:
    """The message as the maintenance stands now; it rings nobody."""
    say = translator(language)
    lines = [say("It concerns: {what}").format(what=_what(one, say)), _planned(one, say, zone)]
    if one.started_at is not None:
        lines.append(say("Began: {time}").format(time=for_people(one.started_at, zone)))
    if one.phase == "ended" and one.ended_at is not None:
        lines.append(say("Ended: {time}").format(time=for_people(one.ended_at, zone)))
        lines += _left(one, say)
    elif one.phase == "overrun":
        lines.append(say("It goes on beyond its planned end; alerts are told again."))
    elif one.phase in {"declared", "running"}:
        lines.append(say("Meanwhile what it concerns may be slow or down; its alerts keep quiet."))
    return _message(_head(one, say), lines)


def maintenance_line(one: MaintenanceText, language: str, zone: ZoneInfo) -> Message:
    """What just happened, as a line for the thread."""
    say = translator(language)
    return _message(_head(one, say), [_planned(one, say, zone)] if one.phase == "running" else [])


def maintenance_reminder(one: MaintenanceText, language: str, zone: ZoneInfo) -> Message:
    """It begins soon."""
    say = translator(language)
    head = say("Soon: maintenance, {title}").format(title=plain(one.title))
    what = say("It concerns: {what}").format(what=_what(one, say))
    return _message(f"⏰ {head} [M{one.id}]", [what, _planned(one, say, zone)])


def _head(one: MaintenanceText, say: Translate) -> str:
    sign, words = _HEADS[one.phase]
    return f"{sign} {say(words).format(title=plain(one.title))} [M{one.id}]"


def _what(one: MaintenanceText, say: Translate) -> str:
    return plain(one.about) or say("the whole server")


def _planned(one: MaintenanceText, say: Translate, zone: ZoneInfo) -> str:
    begin, end = for_people(one.begins_at, zone), for_people(one.ends_at, zone)
    return say("Planned: from {begin} to {end}").format(begin=begin, end=end)


def _left(one: MaintenanceText, say: Translate) -> list[str]:
    if not one.broken:
        return [say("Nothing that it concerns is broken.")]
    return [say("Still broken:"), *(f"• {plain(title)}" for title in one.broken[:_SHOWN])]


def _message(head: str, lines: list[str]) -> Message:
    html = "<br>".join([f"<strong>{escape(head)}</strong>", *(escape(line) for line in lines)])
    return Message("\n".join([head, *lines]), html, rings=False)
