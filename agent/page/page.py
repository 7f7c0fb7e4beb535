"""Renders the page from a Status. Pure: values in, one HTML document out; every text from outside is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape as _escape
from zoneinfo import ZoneInfo

from agent.page.charter import charter_list
from agent.page.maintenance import maintenance_list
from agent.page.words import word
from agent.status import AppStatus, BackupStatus, DrillStatus, IncidentStatus, ProjectStatus, QuotaStatus, Status
from agent.why_quiet import why_quiet
from coloc.model import NO_PROJECT, SHARED
from coloc.times import for_people

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2321;--paper:#fbfaf7;--line:#d8d5cc;--good:#1f6f43;--bad:#a3241b;--soft:#5c635f}
@media(prefers-color-scheme:dark){:root{--ink:#e8e6e0;--paper:#171a19;--line:#3a3f3c;--good:#7fd0a3;--bad:#ff9a8f;
--soft:#a9b0ab}}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem}
body{color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem .3rem 0;vertical-align:top;
border-bottom:1px solid var(--line)}th{font-weight:600;color:var(--soft);font-size:.9rem}
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}.good{color:var(--good)}.bad{color:var(--bad)}
.soft{color:var(--soft);font-size:.9rem}.box{overflow-x:auto}.now{font-size:1.2rem;font-weight:600}
code{font-size:.95em}
"""


def escape(text: str) -> str:
    """A text from outside as HTML: nothing in it is markup, turns the writing around, or cannot be sent."""
    plain = text.translate(_TURNS).encode("utf-8", "replace").decode()
    return _escape("".join(sign if sign.isprintable() else " " for sign in plain))


# Signs that reverse the direction of what follows: a name could otherwise hide or forge the words behind it.
_TURNS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def render(status: Status, language: str) -> str:
    """The whole page in `language` (`fr` or `en`)."""
    paper = _Paper(status, language)
    body = "".join(
        (
            paper.head(),
            paper.incidents(),
            paper.maintenances(),
            paper.projects(),
            paper.fair_use(),
            paper.apps(),
            paper.backups(),
            paper.charter(),
            paper.foot(),
        )
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="30"><title>{escape(status.coloc)} — coloc-agent</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )


class _Paper:
    """The parts of the page, for one status and one reader."""

    def __init__(self, status: Status, language: str) -> None:
        self._status, self._language = status, language
        self._zone = ZoneInfo(status.timezone)

    def _(self, text: str) -> str:
        return escape(word(text, self._language))

    def _time(self, moment: datetime | None) -> str:
        if moment is None:
            return self._("never")
        shown = for_people(moment, self._zone)
        return f'<time datetime="{moment.isoformat()}">{shown}</time>'

    def _table(self, heads: Sequence[str], rows: Iterable[Sequence[str]], *, names: Sequence[str] = ()) -> str:
        """heads: our words; names: further heads as people chose them."""
        texts = [*(self._(text) for text in heads), *(escape(name) for name in names)]
        head = "".join(f'<th scope="col">{text}</th>' for text in texts)
        lines = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
        return f'<div class="box"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'

    def head(self) -> str:
        status, still_open = self._status, self._status.open_incidents
        if still_open:
            now = f'<p class="now bad">{self._("Open incidents")}: {len(still_open)}</p>'
        else:
            now = f'<p class="now good">{self._("All is well")}</p>'
        facts = f"{self._('Server of kind')} {escape(status.kind)} · {self._('Stage')}: {escape(status.stage)}"
        when = f"{self._('measured at')} {self._time(status.at)}"
        return f'<header><h1>{escape(status.coloc)}</h1>{now}<p class="soft">{facts} · {when}</p></header><main>'

    def incidents(self) -> str:
        heading = f"<h2>{self._('Incidents')}</h2>"
        if not self._status.incidents:
            return f"{heading}<p>{self._('No incident so far')}</p>{self.silences()}"
        rows = [self._incident(incident) for incident in self._status.incidents[:20]]
        return heading + self._table(("Severity", "Incidents", "Since", "State"), rows) + self.silences()

    def maintenances(self) -> str:
        """What is planned or worked on; nothing when there is none."""
        listed = maintenance_list(self._status.maintenances, self._, self._time, escape)
        return f"<h2>{self._('Maintenances')}</h2><ul>{listed}</ul>" if listed else ""

    def silences(self) -> str:
        """What people asked to keep quiet, ahead of what it covers."""
        told = [
            f"<li>{escape(each.covers) or self._('everything')} · {self._('until')} {self._time(each.ends_at)} · "
            f"{self._('by')} {escape(each.by)}{': ' if each.why else ''}{escape(each.why)}</li>"
            for each in self._status.silences[:20]
        ]
        return f"<h3>{self._('Silences')}</h3><ul>{''.join(told)}</ul>" if told else ""

    def _incident(self, incident: IncidentStatus) -> list[str]:
        if incident.resolved_at:
            state = f'<span class="good">{self._("resolved")}</span> {self._time(incident.resolved_at)}'
        else:
            state = f'<span class="bad">{self._(incident.phase)}</span>'
        state = " · ".join([state, *why_quiet(incident, self._, self._time, escape)])
        cells = (self._(incident.severity), f"#{incident.id} {escape(incident.title)}", self._time(incident.fired_at))
        return [f"<td>{cell}</td>" for cell in (*cells, state)]

    def projects(self) -> str:
        heading = f"<h2>{self._('Projects')}</h2>"
        if not self._status.projects:
            return f"{heading}<p>{self._('No project is declared yet')}</p>"
        heads = ("Project", "Kind", "Apps", "Adminsys", "CPU (cores)", "Memory", "Disk", "Databases", "Quotas")
        return heading + self._table(heads, [self._project(project) for project in self._status.projects])

    def _project(self, project: ProjectStatus) -> list[str]:
        words = (
            escape(project.title or project.name),
            self._(project.kind),
            escape(", ".join(project.apps)),
            escape(", ".join(project.adminsys)),
        )
        quotas = "<br>".join(self._quota(quota) for quota in project.quotas) or "—"
        figures = self._figures(project.cpu_cores, project.memory_bytes, project.disk_bytes, project.database_bytes)
        return [*(f"<td>{text}</td>" for text in words), *figures, f"<td>{quotas}</td>"]

    def _quota(self, quota: QuotaStatus) -> str:
        used, hard = (figure(amount(quota.resource, each), self._language) for each in (quota.used, quota.hard))
        text = f"{self._(quota.resource)}: {used} {self._('of')} {hard}"
        if quota.step == "fine":
            return text
        if quota.held and quota.held.stands:
            return f'<span class="bad">{text} — {self._(quota.held.step)}</span>'
        return f'<span class="bad">{text} — {self._(quota.step)} ({self._("simulation")})</span>'

    def fair_use(self) -> str:
        """Who waited for the processor, and because of whom; nothing without slices."""
        if not self._status.fair_use:
            return ""
        heads = ("Project", "its part", "used of it", "waited", "because of")
        rows = [
            [
                f"<td>{cell}</td>"
                for cell in (
                    escape(each.project),
                    *(f"{100 * figure:.0f} %" for figure in (each.part, each.used, each.waited)),
                    escape(", ".join(each.because_of)) or "—",
                )
            ]
            for each in self._status.fair_use
        ]
        return f"<h2>{self._('Fair use of the processor')}</h2>" + self._table(heads, rows)

    def apps(self) -> str:
        heads = ("App", "Project", "State", "CPU (cores)", "Memory", "Disk", "Databases", "Version")
        return f"<h2>{self._('Apps')}</h2>" + self._table(heads, [self._app(app) for app in self._status.apps])

    def _app(self, app: AppStatus) -> list[str]:
        project = {SHARED: self._("shared"), NO_PROJECT: self._("no project")}.get(app.project, escape(app.project))
        name = f'{escape(app.label)}<br><span class="soft">{escape(app.id)} · {escape(app.url)}</span>'
        up = {True: '<span class="good">{}</span>', False: '<span class="bad">{}</span>', None: "{}"}[app.up]
        state = up.format(self._({True: "running", False: "down", None: "unknown"}[app.up]))
        if app.state != "ok":
            state += f' · <span class="bad">{self._(app.state)}</span>'
        figures = self._figures(app.cpu_cores, app.memory_bytes, app.disk_bytes, app.database_bytes)
        words = (f"<td>{name}</td>", f"<td>{project}</td>", f"<td>{state}</td>")
        return [*words, *figures, f"<td>{escape(app.version)}</td>"]

    def backups(self) -> str:
        heading = f"<h2>{self._('Backups')}</h2>"
        hosts = self._status.hosts
        if not hosts:
            return f"{heading}<p>{self._('No backup host is declared yet')}</p>"
        known = {(backup.app, backup.host): backup for backup in self._status.backups}
        rows = []
        for app in self._status.apps:
            cells = (self._backup(known.get((app.id, host))) for host in hosts)
            rows.append([f"<td>{escape(app.id)}</td>", *(f"<td>{cell}</td>" for cell in cells)])
        how = f"<p>{self._('To bring an app back')}: <code>coloc-agent restore APP --dry-run</code></p>"
        return heading + self._table(("App",), rows, names=hosts) + how

    def _backup(self, backup: BackupStatus | None) -> str:
        if backup is None:
            return self._("never")
        text = self._time(backup.last_success_at)
        if backup.last_proven_at:
            text += f'<br><span class="soft">{self._("Proven")} {self._time(backup.last_proven_at)}</span>'
        if backup.drill is not None:
            text += f'<br><span class="soft">{self._drill(backup.drill)}</span>'
        if not backup.ok and backup.last_try_at:
            text += f'<br><span class="bad">{self._("failed")}: {escape(backup.failure[:200])}</span>'
        return text

    def _drill(self, drill: DrillStatus) -> str:
        name = f"{self._('drill')} {self._time(drill.last_try_at)}"
        if not drill.ok:
            return f'{name} <span class="bad">{self._("failed")}: {escape(drill.failure[:200])}</span>'
        if drill.ratio is None or drill.ratio >= 1:
            return f"{name} ({self._('whole')})"
        whole = f"{self._('whole')}: {self._time(drill.whole_at)}"
        return f"{name} ({self._('a part')}, {percent(drill.ratio)}; {whole})"

    def _figures(self, cpu: float | None, *sizes: float | None) -> list[str]:
        cores = "—" if cpu is None or not math.isfinite(cpu) else f"{cpu:.2f}"
        cells = (figure(text, self._language) for text in (cores, *(human_bytes(size) for size in sizes)))
        return [f'<td class="n">{cell}</td>' for cell in cells]

    def charter(self) -> str:
        """Points of the charter that are not kept; never an alarm."""
        heading = f"<h2>{self._('Charter')}</h2>"
        if not self._status.charter:
            return f"{heading}<p>{self._('All its points are kept')}</p>"
        return heading + charter_list(self._status.charter, self._language, self._zone, escape)

    def foot(self) -> str:
        spots = "".join(f"<li>{escape(spot)}</li>" for spot in self._status.blind_spots)
        blind = f"<h2>{self._('What cannot be seen')}</h2><ul>{spots}</ul>" if spots else ""
        links = '<a href="/metrics">/metrics</a> · <a href="/api/v1/status">/api/v1/status</a>'
        return (
            f'{blind}</main><footer><p class="soft">coloc-agent {escape(self._status.version)} · {links}</p></footer>'
        )


def figure(text: str, language: str) -> str:
    """A figure as it is written in a language: `1.5 GB` is `1,5 Go` in French."""
    if language != "fr":
        return text
    return re.sub(r"(?<= )([kMGT]?)B\b", r"\1o", text.replace(".", ","))


def percent(ratio: float) -> str:
    """`12 %` of what is not whole: never 100."""
    ratio = min(ratio, 0.99)
    return f"{ratio * 100:.0f} %" if ratio >= 0.01 else f"{ratio * 100:.1g} %"


def amount(resource: str, value: float | None) -> str:
    """A figure of a quota's resource, in its unit."""
    if resource in {"io", "network"} and value is not None:
        return f"{human_bytes(value)}/s"
    if resource in {"memory", "disk", "database"}:
        return human_bytes(value)
    return "—" if value is None or not math.isfinite(value) else f"{value:g}"


def human_bytes(size: float | None) -> str:
    """`1.5 GB`: decimal units, as disks are sold and quotas are written; "—" for what was not measured."""
    if size is None or not math.isfinite(size):
        return "—"
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
