"""`coloc-agent charter`: which points of the colocation's own charter are not kept. Never an alarm, never a name."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context


@click.group("charter", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="The points as JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """The points of the charter that are not kept, and those that are relaxed, as the daemon sees them."""
    if ctx.invoked_subcommand is not None:
        return
    from agent.charter.glance import charter_lines  # noqa: PLC0415 - `--help` must be quick
    from agent.client import ask_own_status  # noqa: PLC0415
    from agent.status import to_json  # noqa: PLC0415
    from agent.terminal import say  # noqa: PLC0415

    context: Context = ctx.obj
    config = context.config()
    status = ask_own_status(config)
    if as_json:
        say([json.dumps(to_json(status)["charter"], ensure_ascii=False, indent=2)])
    else:
        say(charter_lines(status.charter, config.coloc.language, config.zone))


@command.command("agenda")
@click.option(
    "--days",
    type=click.IntRange(1, 60),
    default=31,
    show_default=True,
    help="Incidents of so many days before, relaxations due within so many after.",
)
@click.pass_obj
def agenda_command(context: Context, days: int) -> None:
    """One page in Markdown for the meeting: to present, relaxations due, incidents, backup hosts, room left."""
    from agent.charter.agenda import Room, agenda  # noqa: PLC0415 - `--help` must be quick
    from agent.client import ask_own_status, ask_past  # noqa: PLC0415
    from agent.terminal import harmless, say  # noqa: PLC0415

    config = context.config()
    status, past = ask_own_status(config), ask_past(config)
    usage = shutil.disk_usage(config.root)
    incidents = {each.id: each for each in (*(past.incidents if past else ()), *status.incidents)}
    rooms = [Room(str(config.root), usage.free, usage.total)]
    lines = agenda(config, status, incidents.values(), rooms, days=days)
    say([harmless(line, at_most=3000) for line in lines])
