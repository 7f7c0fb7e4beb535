"""What the agent answers in a room to what people ask there. Pure; nothing from outside goes in unneutralised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from alerts.plain import plain
from alerts.words import n_
from coloc.language import translator
from coloc.outbox import Message
from coloc.times import for_people

_SHOWN = 20
_ANSWERS: Mapping[str, str] = {
    "stranger": n_("I take commands only from the adminsys whose Matrix account stands below adminsys: in coloc.yml."),
    "not yours": n_("Incident #{id} is another project's: its adminsys decide on it."),
    "none": n_("Which incident? Answer its message, or write its number: {example}"),
    "over": n_("Incident #{id} is over, or never was."),
    "too late": n_("That silence is over already: it was asked for at {time}."),
    "acked": n_("👀 #{id}: taken on by {who}"),
    "silenced": n_("🔕 #{id}: in silence until {time}"),
    "span": n_("How long? Write it as 30m, 2h or 1d, at most 30d: {example}"),
    "maintenance how": n_(
        'To declare one: !maintenance "Upgrade Nextcloud" nextcloud 22:00 1h — an app, a project or "server", '
        "when it begins, how long. Then: !maintenance list, start 3, extend 3 30m, end 3, cancel 3."
    ),
    "maintenance what": n_("I know no app or project of that name: {name}"),
    "maintenance not yours": n_("That is another project's: its adminsys decide on it."),
    "maintenance over": n_("No maintenance of that number is planned or goes on: !maintenance list"),
    "maintenance not begun": n_("It has not begun yet: !maintenance cancel {id}"),
    "maintenance begun": n_("It goes on already: !maintenance end {id}"),
    "maintenance too long": n_("At most seven days long, within the next ninety days."),
    "maintenance too many": n_("Fifty are planned or go on already: end or cancel some first."),
    "maintenance declared": n_("🔧 Declared as M{id}, from {time}"),
    "maintenance start": n_("🔧 M{id} has begun, until {time}"),
    "maintenance extend": n_("🔧 M{id} now ends at {time}"),
    "maintenance end": n_("✅ M{id} is over"),
    "maintenance cancel": n_("✖ M{id} is cancelled"),
    "no maintenance": n_("No maintenance is planned or goes on."),
    "test": n_("🔔 Test: if you read this, alerts reach this room."),
    "unknown": n_("I do not know that command; !help tells those that I know."),
}
_HELP = (
    n_("React with 👀 to take an incident on, with 🔕 to silence it for an hour; take the reaction back to undo it."),
    n_("!ack · !silence 2h — in answer to an incident, or with its number: !ack 12, !silence 12 2h"),
    n_("!status — what is wrong now · !test — a message that rings · !maintenance · !help"),
)


def answer(which: str, language: str, *, zone: ZoneInfo, time: datetime | None = None, **values: object) -> Message:
    """One sentence of the table above."""
    harmless = {name: plain(str(value), longest=60) for name, value in values.items()}
    shown = for_people(time, zone) if time is not None else ""
    return _silent([translator(language)(_ANSWERS[which]).format(time=shown, **harmless)])


def server_test(language: str, zone: ZoneInfo, now: datetime) -> Message:
    """What `coloc-agent alert test` sends."""
    text = translator(language)(
        n_("🔔 Test of the alerts, asked for on the server at {time}: if you read this, they arrive.")
    )
    return replace(_silent([text.format(time=for_people(now, zone))]), rings=True)


def help_text(language: str) -> Message:
    """What people can do in a room."""
    say = translator(language)
    return _silent([say(line) for line in _HELP])


def standing(titles: Sequence[str], language: str) -> Message:
    """The incidents that are open, by their titles."""
    say = translator(language)
    if not titles:
        return _silent([say("✅ Nothing is wrong.")])
    lines = [
        say("Open incidents: {number}").format(number=len(titles)),
        *(f"• {plain(one)}" for one in titles[:_SHOWN]),
    ]
    if len(titles) > _SHOWN:
        lines.append(say("… and {number} more: coloc-agent alerts").format(number=len(titles) - _SHOWN))
    return _silent(lines)


def maintenances(lines: Sequence[tuple[str, datetime, datetime]], language: str, zone: ZoneInfo) -> Message:
    """What is planned or goes on: its name, from when to when."""
    if not lines:
        return answer("no maintenance", language, zone=zone)
    times = [(name, for_people(begin, zone), for_people(end, zone)) for name, begin, end in lines[:_SHOWN]]
    return _silent([f"• {plain(name)} · {begin} → {end}" for name, begin, end in times])


def _silent(lines: Sequence[str]) -> Message:
    return Message("\n".join(lines), "<br>".join(escape(line) for line in lines), rings=False)
