"""Incidents and silences as any page shows them: what, since when, and why nobody is rung. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agent.page.paper import Paper, cells, escape
from agent.status import IncidentStatus
from agent.why_quiet import why_quiet

_MOST = 20


def incident_table(paper: Paper, incidents: Sequence[IncidentStatus]) -> str:
    """The first twenty, or that there was none so far."""
    if not incidents:
        return f"<p>{paper.word('No incident so far')}</p>"
    rows = [_row(paper, incident) for incident in incidents[:_MOST]]
    rest = len(incidents) - _MOST
    more = f'<p class="soft">{rest} {paper.word("more")}{paper.colon}<code>coloc-agent alerts --history</code></p>'
    return paper.table(("Severity", "Incidents", "Since", "State"), rows) + (more if rest > 0 else "")


def _row(paper: Paper, incident: IncidentStatus) -> list[str]:
    if incident.resolved_at:
        state = f'<span class="good">{paper.word("resolved")}</span> {paper.time(incident.resolved_at)}'
    else:
        state = f'<span class="bad">{paper.word(incident.phase)}</span>'
    state = " · ".join([state, *why_quiet(incident, paper.word, paper.time, escape)])
    named = f"#{incident.id} {escape(incident.title)}"
    return cells(paper.word(incident.severity), named, paper.time(incident.fired_at), state)


def silence_list(paper: Paper) -> str:
    """What people asked to keep quiet, ahead of what it covers."""
    told = [
        f"<li>{escape(each.covers) or paper.word('everything')} · {paper.word('until')} {paper.time(each.ends_at)} · "
        f"{paper.word('by')} {escape(each.by)}{paper.colon if each.why else ''}{escape(each.why)}</li>"
        for each in paper.status.silences[:_MOST]
    ]
    return f"<h2>{paper.word('Silences')}</h2><ul>{''.join(told)}</ul>" if told else ""
