"""The page `/backups`: each app at each backup host, when it was saved and proven, how its drill ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agent.page.calendar import calendars
from agent.page.figures import percent
from agent.page.paper import Paper, cells, escape
from agent.page.part import Part, Sheet
from agent.status import BackupStatus, DrillStatus


def sheet(paper: Paper) -> Sheet:
    """Every app of the server."""
    body = backup_table(paper, [app.id for app in paper.status.apps])
    if paper.status.hosts:
        body = calendars(paper) + f"<h2>{paper.word('Each app')}</h2>" + body
        body += paper.commands(
            ("To bring an app back", ("restore", paper.plain("APP"), "--dry-run")),
            ("What an archive holds", ("archives", paper.plain("APP"), "--files")),
            ("Which drills are due", ("drill", "--dry-run")),
        )
    return Sheet(paper.word("Backups"), body)


def backup_table(paper: Paper, apps: Sequence[str]) -> str:
    """A row an app, a column a host."""
    hosts = paper.status.hosts
    if not hosts:
        return f"<p>{paper.word('No backup host is declared yet')}</p>"
    known = {(backup.app, backup.host): backup for backup in paper.status.backups}
    rows = (cells(paper.app(app), *(_backup(paper, known.get((app, host))) for host in hosts)) for app in apps)
    return paper.table(("App",), rows, names=hosts, caption=paper.word("Backups"))


def _backup(paper: Paper, backup: BackupStatus | None) -> str:
    if backup is None:
        return paper.word("never")
    text = paper.time(backup.last_success_at)
    if backup.last_proven_at:
        proven, saved = paper.day(backup.last_proven_at), paper.day(backup.last_success_at)
        told = paper.word("Proven on the same day") if proven == saved else f"{paper.word('Proven')} {proven}"
        text += f'<br><span class="soft">{told}</span>'
    if backup.drill is not None:
        text += f'<br><span class="soft">{_drill(paper, backup.drill)}</span>'
    if not backup.ok and backup.last_try_at:
        text += f'<br><span class="bad">{paper.word("failed")}{paper.colon}{escape(backup.failure[:200])}</span>'
    return text


def _drill(paper: Paper, drill: DrillStatus) -> str:
    name = f"{paper.word('drill')} {paper.day(drill.last_try_at)}"
    if not drill.ok:
        return f'{name} <span class="bad">{paper.word("failed")}{paper.colon}{escape(drill.failure[:200])}</span>'
    if drill.ratio is None or drill.ratio >= 1:
        return f"{name} ({paper.word('whole')})"
    whole = f"{paper.word('whole')}{paper.colon}{paper.day(drill.whole_at)}"
    return f"{name} ({paper.word('a part')}, {percent(drill.ratio)}, {whole})"


BACKUPS = Part("backups", "Backups", sheet)
