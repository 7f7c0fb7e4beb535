"""The pages `/projects` and `/projects/NAME`: what each uses of what was agreed, and who looks after it. Pure."""

from __future__ import annotations

from agent.page.backups import backup_table
from agent.page.figures import amount
from agent.page.incidents import incident_table
from agent.page.paper import Paper, cells, escape
from agent.page.part import Part, Sheet
from agent.page.use import use_curves
from agent.status import AppStatus, IncidentStatus, ProjectStatus, QuotaStatus, Status


def sheet(paper: Paper) -> Sheet:
    """All projects in the order of coloc.yml, without a ranking."""
    if not paper.status.projects:
        return Sheet(paper.word("Projects"), f"<p>{paper.word('No project is declared yet')}</p>")
    heads = ("Project", "Apps", "Adminsys", "CPU (cores)", "Memory", "Disk", "Databases", "Quotas")
    rows = [_row(paper, project) for project in paper.status.projects]
    return Sheet(paper.word("Projects"), paper.table(heads, rows) + _fair_use(paper))


def _row(paper: Paper, project: ProjectStatus) -> list[str]:
    words = cells(
        f'{paper.project(project.name)}<br><span class="soft">{paper.word(project.kind)}</span>',
        ", ".join(paper.app(app) for app in project.apps),
        escape(", ".join(project.adminsys)),
    )
    quotas = "<br>".join(quota_line(paper, quota) for quota in project.quotas) or "—"
    sums = paper.figures(project.cpu_cores, project.memory_bytes, project.disk_bytes, project.database_bytes)
    return [*words, *sums, f"<td>{quotas}</td>"]


def quota_line(paper: Paper, quota: QuotaStatus) -> str:
    """One limit: used of agreed, and the step it stands on."""
    used, hard = (paper.figure(amount(quota.resource, each)) for each in (quota.used, quota.hard))
    text = f"{paper.word(quota.resource)}{paper.colon}{used} {paper.word('of')} {hard}"
    if quota.step == "fine":
        return text
    if quota.held and quota.held.stands:
        return f'<span class="bad">{text} — {paper.word(quota.held.step)}</span>'
    return f'<span class="bad">{text} — {paper.word(quota.step)} ({paper.word("simulation")})</span>'


def _fair_use(paper: Paper) -> str:
    """Who waited for the processor, and because of whom; nothing without slices."""
    if not paper.status.fair_use:
        return ""
    heads = ("Project", "its part", "used of it", "waited", "because of")
    rows = [
        cells(
            paper.project(each.project),
            *(f"{100 * figure:.0f} %" for figure in (each.part, each.used, each.waited)),
            escape(", ".join(each.because_of)) or "—",
        )
        for each in paper.status.fair_use
    ]
    heading = paper.word("Fair use of the processor")
    return f"<h2>{heading}</h2>" + paper.table(heads, rows, caption=heading)


def one(paper: Paper, name: str) -> Sheet | None:
    """One project: its figures and limits, its apps, their backups and incidents, its people."""
    project = next((each for each in paper.status.projects if each.name == name), None)
    if project is None:
        return None
    apps = [app for app in paper.status.apps if app.id in project.apps]
    people = escape(", ".join(project.adminsys)) or paper.word("nobody yet")
    body = (
        f'<p class="soft">{paper.word(project.kind)} · {paper.word("Adminsys")}{paper.colon}{people}</p>',
        f"<h2>{paper.word('Use and quotas')}</h2>",
        _quotas(paper, project),
        use_curves(paper, project.quotas, project=name),
        f"<h2>{paper.word('Apps')}</h2>",
        app_table(paper, apps),
        f"<h2>{paper.word('Backups')}</h2>",
        backup_table(paper, [app.id for app in apps]),
        f"<h2>{paper.word('Incidents')}</h2>",
        incident_table(paper, incidents_of(paper.status, project)),
        paper.commands(
            ("What quotas say, and what they would do", ("quota",)),
            ("Keep its incidents quiet", ("silence", "set", "--project", name, "--for", "2h", "--by", _you(paper))),
        ),
    )
    return Sheet(escape(project.title or project.name), "".join(body))


def _you(paper: Paper) -> str:
    return paper.plain("YOUR-NAME")


def _quotas(paper: Paper, project: ProjectStatus) -> str:
    sums = paper.table(
        ("CPU (cores)", "Memory", "Disk", "Databases"),
        [paper.figures(project.cpu_cores, project.memory_bytes, project.disk_bytes, project.database_bytes)],
        caption=paper.word("Use and quotas"),
    )
    lines = "".join(f"<li>{quota_line(paper, quota)}</li>" for quota in project.quotas)
    return sums + (f"<ul>{lines}</ul>" if lines else f"<p>{paper.word('No quota was agreed')}</p>")


def incidents_of(status: Status, project: ProjectStatus) -> list[IncidentStatus]:
    """Those of a project and of its apps."""
    return [each for each in status.incidents if each.project == project.name or each.app in project.apps]


def app_table(paper: Paper, apps: list[AppStatus]) -> str:
    """Apps, their state and what they use."""
    heads = ("App", "Project", "State", "CPU (cores)", "Memory", "Disk", "Databases", "Version")
    return paper.table(heads, [_app(paper, app) for app in apps])


def _app(paper: Paper, app: AppStatus) -> list[str]:
    name = f'{paper.app(app.id)}<br><span class="soft">{escape(app.label)} · {escape(app.url)}</span>'
    sums = paper.figures(app.cpu_cores, app.memory_bytes, app.disk_bytes, app.database_bytes)
    words = cells(name, paper.project(app.project), app_state(paper, app))
    return [*words, *sums, f"<td>{escape(app.version)}</td>"]


def app_state(paper: Paper, app: AppStatus) -> str:
    """Running or not, and what is wrong with its files."""
    up = {True: '<span class="good">{}</span>', False: '<span class="bad">{}</span>', None: "{}"}[app.up]
    state = up.format(paper.word({True: "running", False: "down", None: "unknown"}[app.up]))
    return state if app.state == "ok" else f'{state} · <span class="bad">{paper.word(app.state)}</span>'


PROJECTS = Part("projects", "Projects", sheet, one)
