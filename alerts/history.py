"""The line that a change of an incident leaves in its thread, in the room's language. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from zoneinfo import ZoneInfo

from alerts.messages import IncidentText, incident_title
from alerts.plain import plain
from alerts.words import n_
from coloc.language import translator
from coloc.outbox import Message
from coloc.times import for_people

# What happened → the words. A line that rings names its incident: a phone shows the line alone.
_LINES: Mapping[str, str] = {
    "worse": n_("🔴 {title} [#{id}]: it got worse ({severity})"),
    "resolved": n_("✅ Resolved: {title} [#{id}]"),
    "acked": n_("👀 Taken on by {who}"),
    "released": n_("Nobody looks after it any more"),
    "silenced": n_("🔕 In silence until {time}"),
    "unsilenced": n_("🔔 The silence is over"),
    "escalated": n_("🔴 {title} [#{id}]: nobody has taken it on for half an hour. Take it on with 👀"),
}
_SEVERITIES = {"critical": n_("critical"), "warning": n_("warning"), "info": n_("information")}


def history_line(change: str, incident: IncidentText, language: str, zone: ZoneInfo) -> Message | None:
    """What to write in the thread; None for a change that the edited message tells by itself."""
    pattern = _LINES.get(change)
    if pattern is None:
        return None
    say = translator(language)
    text = say(pattern).format(
        title=incident_title(incident, language, zone),
        id=incident.id,
        severity=say(_SEVERITIES.get(incident.severity, incident.severity)),
        who=plain(incident.acked_by, longest=60),
        time=for_people(incident.silenced_until, zone) if incident.silenced_until else "",
    )
    return Message(text, escape(text))
