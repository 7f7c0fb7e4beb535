"""An incident as a timeline in Markdown, for the forum or the minutes of a meeting. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.messages import IncidentText, incident_title, known_of
from alerts.plain import no_markup, plain
from alerts.words import n_
from coloc.language import Translate, translator
from coloc.times import for_people


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to an incident. `detail`: who did it, or the channel on which it was said."""

    at: datetime
    what: str
    detail: str = ""


_LINES: Mapping[str, str] = {
    "began": n_("seen for the first time"),
    "fired": n_("it is an incident: it lasted as long as its rule waits"),
    "told": n_("told on {detail}"),
    "worse": n_("it got worse"),
    "ack": n_("taken on by {detail}"),
    "unack": n_("given back"),
    "silence": n_("put into silence by {detail}"),
    "unsilence": n_("the silence was lifted"),
    "escalated": n_("nobody had taken it on for half an hour: said again"),
    "resolved": n_("over"),
}
_SEVERITIES = {"critical": n_("critical"), "warning": n_("warning"), "info": n_("information")}


def incident_report(
    incident: IncidentText,
    happenings: Iterable[Happening],
    language: str,
    zone: ZoneInfo,
    *,
    coloc: str,
    runbook: str,
) -> str:
    """The whole page; nothing from outside is markup in it."""
    say = translator(language)
    detail, to_do = known_of(incident, language, zone)
    lines = [f"# {_safe(incident_title(incident, language, zone))} \\[#{incident.id}\\]", ""]
    lines += [f"- {_safe(coloc)}, {say(_SEVERITIES.get(incident.severity, incident.severity))}"]
    lines += [f"- {_how_long(incident, say, zone)}"]
    lines += [f"- {_safe(detail)}"] if detail else []
    lines += [f"- {say('Taken on by {who}').format(who=_safe(incident.acked_by))}"] if incident.acked_by else []
    lines += ["", f"## {say('What happened')}", ""]
    lines += [f"- {for_people(each.at, zone)} — {_line(each, say)}" for each in happenings]
    lines += ["", f"## {say('What to do')}", "", _safe(to_do)]
    lines += ["", f"{say('Runbook')}: `{runbook}`"] if runbook else []
    return "\n".join(lines) + "\n"


def _how_long(incident: IncidentText, say: Translate, zone: ZoneInfo) -> str:
    since = for_people(incident.since, zone)
    if incident.until is None:
        return say("Since {since}").format(since=since)
    told = say("From {since} to {until}").format(since=since, until=for_people(incident.until, zone))
    return f"{told} ({span(incident.until - incident.since)})"


def span(length: timedelta) -> str:
    """`2 h 05 min`, for people; what a clock that was set back makes negative is nothing."""
    minutes = max(0, round(length.total_seconds() / 60))
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {minutes % 60:02d} min" if hours else f"{minutes} min"


def _line(happening: Happening, say: Translate) -> str:
    return say(_LINES.get(happening.what, happening.what)).format(detail=_safe(happening.detail) or "?")


def _safe(text: str) -> str:
    return no_markup(plain(text))
