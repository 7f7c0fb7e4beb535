"""`coloc-agent charter`: which points of the colocation's own charter are not kept. Never an alarm, never a name."""

from __future__ import annotations

import json
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
