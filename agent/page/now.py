"""The page `/`: is all well? One sentence first, then what speaks for it or against it. Pure."""

from __future__ import annotations

from agent.page.incidents import incident_table, silence_list
from agent.page.maintenance import maintenance_list
from agent.page.paper import Paper, escape
from agent.page.part import Part, Sheet


def sheet(paper: Paper) -> Sheet:
    """The verdict, the figures behind it, incidents, and what cannot be judged."""
    status = paper.status
    body = (
        _facts(paper),
        _tiles(paper),
        f"<h2>{paper.word('Incidents')}</h2>",
        incident_table(paper, status.incidents),
        silence_list(paper),
        _maintenances(paper),
        _listed(paper, "Collectors that fail", [f"{name}: {why}" for name, why in status.collectors.items() if why]),
        _listed(paper, "Enforcement", status.enforcement),
        _listed(paper, "What cannot be seen", status.blind_spots),
        _what_to_type(paper),
    )
    return Sheet(_verdict(paper), "".join(body))


def _verdict(paper: Paper) -> str:
    still_open = len(paper.status.open_incidents)
    if still_open:
        one, many = paper.word("One incident is open"), paper.word("{number} incidents are open")
        return f'<span class="bad">{one if still_open == 1 else many.format(number=still_open)}</span>'
    return f'<span class="good">{paper.word("All is well")}</span>'


def _facts(paper: Paper) -> str:
    status = paper.status
    stage = f"{paper.word('Stage')}{paper.colon}{escape(status.stage)}"
    facts = f"{paper.word('Server of kind')} {escape(status.kind)} · {stage}"
    unseen = len(status.blind_spots) + sum(bool(why) for why in status.collectors.values())
    but = f" · {paper.word('things that cannot be judged')}{paper.colon}{unseen}" if unseen else ""
    return f'<p class="soft">{facts} · {paper.word("measured at")} {paper.time(status.at)}{but}</p>'


def _tiles(paper: Paper) -> str:
    status = paper.status
    known = [app for app in status.apps if app.up is not None]
    running = f"{sum(app.up is True for app in known)} {paper.word('of')} {len(known)}"
    good = sum(backup.ok for backup in status.backups)
    kept = sum(not point.relaxed_until for point in status.charter)
    tiles = [
        (paper.link("apps", paper.word("apps running")), running if known else "—", _down(paper)),
        (paper.link("backups", paper.word("Backups that went well")), *_backups(paper, good)),
        (paper.link("charter", paper.word("Points of the charter to look at")), str(kept), ""),
        (paper.word("Messages that wait"), str(sum(status.outbox.values())), ""),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd>{_small(more)}</div>" for name, value, more in tiles)
    return f'<dl class="tiles">{items}</dl>'


def _down(paper: Paper) -> str:
    """The apps that do not run, the first three."""
    down = [paper.app(app.id) for app in paper.status.apps if app.up is False]
    more = ", …" if len(down) > 3 else ""
    return f"{paper.word('down')}{paper.colon}{', '.join(down[:3])}{more}" if down else ""


def _small(text: str) -> str:
    return f'<dd class="soft">{text}</dd>' if text else ""


def _backups(paper: Paper, good: int) -> tuple[str, str]:
    backups = paper.status.backups
    if not backups:
        return "—", ""
    oldest = min((each.last_success_at for each in backups if each.last_success_at), default=None)
    return f"{good} {paper.word('of')} {len(backups)}", f"{paper.word('the oldest')}{paper.colon}{paper.time(oldest)}"


def _listed(paper: Paper, heading: str, texts: tuple[str, ...] | list[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts[:50])
    return f"<h2>{paper.word(heading)}</h2><ul>{items}</ul>" if items else ""


def _maintenances(paper: Paper) -> str:
    """What is planned or worked on; nothing when there is none."""
    listed = maintenance_list(paper)
    return f"<h2>{paper.word('Maintenances')}</h2><ul>{listed}</ul>" if listed else ""


def _what_to_type(paper: Paper) -> str:
    still_open = paper.status.open_incidents
    if not still_open:
        return paper.commands(("The same in a terminal", ("status",)))
    number = str(still_open[0].id)
    return paper.commands(
        ("To take one on", ("alerts", "ack", number, "--by", paper.plain("YOUR-NAME"))),
        ("Its timeline", ("incident", "report", number)),
    )


NOW = Part("", "Now", sheet)
