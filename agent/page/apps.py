"""The pages `/apps` and `/apps/NAME`: what runs here, what it uses, and all that is known of one of them. Pure."""

from __future__ import annotations

from agent.page.backups import backup_table
from agent.page.incidents import incident_table
from agent.page.paper import Paper, escape
from agent.page.part import Part, Sheet
from agent.page.projects import app_state, app_table, quota_line
from agent.page.use import use_curves


def sheet(paper: Paper) -> Sheet:
    """All apps by their ids."""
    return Sheet(paper.word("Apps"), app_table(paper, list(paper.status.apps)))


def one(paper: Paper, name: str) -> Sheet | None:
    """One app: its state, its figures and limits, backups, incidents, what to type."""
    app = next((each for each in paper.status.apps if each.id == name), None)
    if app is None:
        return None
    facts = (escape(app.id), paper.project(app.project), escape(app.url), escape(app.version), app_state(paper, app))
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in app.problems)
    quotas = [quota for quota in paper.status.app_quotas if quota.app == name]
    lines = "".join(f"<li>{quota_line(paper, quota)}</li>" for quota in quotas)
    incidents = [each for each in paper.status.incidents if each.app == name]
    body = (
        f"<p>{' · '.join(fact for fact in facts if fact)}</p>",
        f"<h2>{paper.word('What is wrong with it')}</h2><ul>{problems}</ul>" if problems else "",
        f"<h2>{paper.word('Use and quotas')}</h2>",
        paper.table(
            ("CPU (cores)", "Memory", "Disk", "Databases"),
            [paper.figures(app.cpu_cores, app.memory_bytes, app.disk_bytes, app.database_bytes)],
            caption=paper.word("Use and quotas"),
        ),
        f"<ul>{lines}</ul>" if lines else "",
        use_curves(paper, quotas, app=name),
        f"<h2>{paper.word('Backups')}</h2>",
        backup_table(paper, [name]),
        f"<h2>{paper.word('Incidents')}</h2>",
        incident_table(paper, incidents),
        paper.commands(
            ("To bring it back", ("restore", name, "--dry-run")),
            ("Its archives", ("archives", name)),
            ("Back it up now", ("backup", name)),
            ("Prove its backups now", ("drill", name)),
            (
                "Keep its incidents quiet",
                ("silence", "set", "--app", name, "--for", "2h", "--by", paper.plain("YOUR-NAME")),
            ),
        ),
    )
    return Sheet(escape(app.label or app.id), "".join(body))


APPS = Part("apps", "Apps", sheet, one)
