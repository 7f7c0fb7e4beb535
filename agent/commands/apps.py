"""`coloc-agent apps`: the apps of this server, or of another tree, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.cli import Context
    from coloc.config.whole import Config
    from coloc.language import Translate
    from coloc.model import App, Colocation


@click.command("apps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Read this tree instead of the configuration's, and nothing of the host.",
)
@click.pass_obj
def command(context: Context, as_json: bool, root: Path | None) -> None:
    """The apps found on this server, or below --root."""
    from coloc.inventory.as_json import inventory_as_json  # noqa: PLC0415 - yaml is heavy, `--help` must be quick
    from coloc.language import translator  # noqa: PLC0415 - see above

    config = context.config() if root is None and context.config_path.exists() else None
    found = _look(context, config, root)
    if as_json:
        click.echo(json.dumps(inventory_as_json(found.inventory), ensure_ascii=False, indent=1))
    else:
        click.echo(_table(found, translator(config.coloc.language if config else "en", "commands")))


def _look(context: Context, config: Config | None, root: Path | None) -> Colocation:
    from coloc.inventory.declared import with_declared  # noqa: PLC0415 - see above
    from coloc.inventory.projects import colocation  # noqa: PLC0415 - see above
    from coloc.inventory.yunohost import is_yunohost, read_inventory  # noqa: PLC0415 - see above
    from coloc.model import Colocation  # noqa: PLC0415 - see above

    if root is None and config is None:
        click.echo(f"coloc-agent: {context.config_path} does not exist yet: reading / without it", err=True)
    folder = root or (config.root if config else Path("/"))
    inventory = read_inventory(folder)
    found = (
        colocation(config, with_declared(inventory, config.apps, folder)) if config else Colocation(inventory, (), {})
    )
    if not found.inventory.apps and not is_yunohost(folder):
        raise ColocError(
            f"{folder} has no YunoHost (no etc/yunohost/apps), and no app is declared",
            hint="name another tree with --root, or declare apps in coloc.yml (apps: name: folders: [...])",
        )
    return found


def _table(found: Colocation, say: Translate) -> str:
    apps = [found.inventory.apps[app] for app in sorted(found.inventory.apps)]
    head = (say("APP"), say("LABEL"), say("STATE"), say("PROJECT"), say("URL"), say("VERSION"), say("PROBLEMS"))
    rows = [head, *(_row(found, app, say) for app in apps)]
    columns = [column for column in range(len(head)) if any(row[column] for row in rows[1:]) or column < 2]
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    lines = ["  ".join(row[column].ljust(widths[column]) for column in columns).rstrip() for row in rows]
    return "\n".join([*lines, "", *_summary(found, apps, say)])


def _row(found: Colocation, app: App, say: Translate) -> tuple[str, ...]:
    project = ", ".join(found.shares.get(app.id, {}))
    url = app.domain + (app.path or "") if app.domain else ""
    return (app.id, app.label, say(app.state.value), project, url, app.version or "", "; ".join(app.problems))


def _summary(found: Colocation, apps: list[App], say: Translate) -> list[str]:
    bad = [app.id for app in apps if app.state.value != "ok"]
    lines = [say("{apps} apps, {domains} domains").format(apps=len(apps), domains=len(found.inventory.domains))]
    if bad:
        lines.append(say("not in order: {apps}").format(apps=", ".join(bad)))
    if names := ", ".join(found.inventory.not_apps):
        lines.append(say("no apps, to be moved out of /etc/yunohost/apps: {names}").format(names=names))
    return lines
