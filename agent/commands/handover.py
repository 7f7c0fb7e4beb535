"""`coloc-agent handover`: the sheet with which somebody else takes an app or a project over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.charter.handover import Known
    from agent.cli import Context
    from coloc.config.whole import Config


@click.command("handover")
@click.argument("name", metavar="APP|PROJECT")
@click.pass_obj
def command(context: Context, name: str) -> None:
    """One page in Markdown: who, where, versions, changed files, backups, incidents, the commands to type.

    It holds no secret, and names adminsys by their key of coloc.yml. An app wins over a project of the same name.
    """
    from agent.charter.handover import app_sheet, project_sheet  # noqa: PLC0415 - `--help` must be quick
    from agent.colocation import read_colocation  # noqa: PLC0415
    from agent.terminal import harmless, say  # noqa: PLC0415
    from coloc.config.mistakes import nearest  # noqa: PLC0415
    from coloc.times import now_utc  # noqa: PLC0415

    config = context.config()
    colocation = read_colocation(config)
    app = colocation.inventory.apps.get(name)
    if app is None and name not in config.projects:
        known = [*colocation.inventory.apps, *config.projects]
        raise ColocError(
            f"no app and no project is called {name!r}{nearest(name, known)}", hint="all of them: coloc-agent apps"
        )
    told, now = _known(config), now_utc()
    lines = (
        app_sheet(config, colocation, app, told, now)
        if app is not None
        else project_sheet(config, colocation, name, told, now)
    )
    say([harmless(line, at_most=3000) for line in lines])


def _known(config: Config) -> Known:
    """What the daemon tells; the sheet is of most use on the day when it does not."""
    from agent.charter.handover import Known  # noqa: PLC0415 - `--help` must be quick
    from agent.client import ask_own_status, ask_past  # noqa: PLC0415

    try:
        status, past = ask_own_status(config), ask_past(config)
    except ColocError as error:
        click.echo(f"! {error.sentence()}", err=True)
        return Known(None)
    incidents = {each.id: each for each in (*(past.incidents if past else ()), *status.incidents)}
    return Known(status, tuple(incidents.values()))
