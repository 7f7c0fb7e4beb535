"""One message that tells several incidents: what began together, a storm, what a night held back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from zoneinfo import ZoneInfo

from alerts.messages import SIGNS, IncidentText, incident_title
from alerts.plain import plain
from alerts.words import n_
from coloc.language import Translate, translator
from coloc.outbox import Message
from coloc.times import for_people

_SHOWN = 40
_LINES_SHOWN = 10
_HEADS = (
    n_("{open} incidents, {over} are over"),
    n_("{open} incidents"),
    n_("All {over} incidents are over"),
)


def group_message(incidents: Sequence[IncidentText], language: str, zone: ZoneInfo) -> Message:
    """The message of several incidents as they stand now, in the order given; beyond forty they are counted."""
    say = translator(language)
    over = sum(incident.phase == "resolved" for incident in incidents)
    still = len(incidents) - over
    pattern = _HEADS[2] if not still else _HEADS[0] if over else _HEADS[1]
    sign = _sign(incidents[0]) if still else "✅"
    head = f"{sign} " + say(pattern).format(open=still, over=over)
    lines = [_line(incident, say, language, zone) for incident in incidents[:_SHOWN]]
    if len(incidents) > _SHOWN:
        lines.append(say("… and {number} more: coloc-agent alerts").format(number=len(incidents) - _SHOWN))
    html = "<br>".join([f"<strong>{escape(head)}</strong>", *(escape(line) for line in lines)])
    return Message("\n".join([head, *lines]), html)


def joined(lines: Sequence[Message], language: str) -> Message:
    """Several lines for one thread as one; beyond ten they are counted."""
    if len(lines) == 1:
        return lines[0]
    more = []
    if len(lines) > _LINES_SHOWN:
        say = translator(language)
        more = [say("… and {number} more: coloc-agent alerts").format(number=len(lines) - _LINES_SHOWN)]
    text = "\n".join([*(line.text for line in lines[:_LINES_SHOWN]), *more])
    return Message(text, "<br>".join([*(line.html for line in lines[:_LINES_SHOWN]), *map(escape, more)]))


def _line(incident: IncidentText, say: Translate, language: str, zone: ZoneInfo) -> str:
    line = f"{_sign(incident)} {incident_title(incident, language, zone)} [#{incident.id}]"
    if incident.phase == "resolved" and incident.until is not None:
        since, until = for_people(incident.since, zone), for_people(incident.until, zone)
        return f"{line} · " + say("From {since} to {until}").format(since=since, until=until)
    if incident.acked_by:
        return f"{line} · " + say("Taken on by {who}").format(who=plain(incident.acked_by, longest=60))
    return line


def _sign(incident: IncidentText) -> str:
    return "✅" if incident.phase == "resolved" else SIGNS.get(incident.severity, "🟠")
