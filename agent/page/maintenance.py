"""Planned work on the page: what comes, what goes on, and the last ones that are over. Pure; every text is escaped."""

from __future__ import annotations

from agent.page.paper import Paper, escape
from agent.page.part import Part, Sheet
from agent.page.words import MAINTENANCE_PHASES
from agent.status import MaintenanceStatus

_SHOWN = 10


def sheet(paper: Paper) -> Sheet:
    """Every maintenance that is known, the coming ones first, and how to declare one."""
    listed = maintenance_list(paper)
    body = f"<ul>{listed}</ul>" if listed else f"<p>{paper.word('No maintenance is declared')}</p>"
    declare = ("maintenance", "declare", paper.plain("WHAT"), "--app", paper.plain("APP"), "--for", "1h", "--by")
    commands = paper.commands(
        ("To declare one", (*declare, paper.plain("YOUR-NAME"))), ("All of them", ("maintenance", "list"))
    )
    return Sheet(paper.word("Maintenances"), body + commands)


def maintenance_list(paper: Paper) -> str:
    """The items of a list; the empty text when there is none. No person is named."""
    return "".join(f"<li>{_line(paper, one)}</li>" for one in paper.status.maintenances[:_SHOWN])


def _line(paper: Paper, one: MaintenanceStatus) -> str:
    kind = "bad" if one.phase == "overrun" or one.broken else "good" if one.phase == "ended" else "soft"
    state = f'<span class="{kind}">{paper.word(MAINTENANCE_PHASES[one.phase])}</span>'
    when = f"{paper.time(one.started_at or one.begins_at)} → {paper.time(one.ended_at or one.ends_at)}"
    parts = [f"M{one.id} {escape(one.title)}", state, escape(one.about) or paper.word("the whole server"), when]
    if one.broken:
        parts.append(f"{paper.word('still broken')}: {escape('; '.join(one.broken[:5]))}")
    return " · ".join(parts)


MAINTENANCE = Part("maintenance", "Maintenance", sheet)
