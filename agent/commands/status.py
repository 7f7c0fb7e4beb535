"""`coloc-agent status`: one glance at what the running daemon knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, times in UTC.")
@click.pass_obj
def command(context: Context, as_json: bool) -> None:
    """Stage, apps, last backups of each host, open incidents, collectors."""
    from agent.client import AgentSilent, ask_own_status  # noqa: PLC0415 - `--help` must be quick
    from agent.glance import Glance  # noqa: PLC0415
    from agent.status import to_json  # noqa: PLC0415
    from agent.terminal import say  # noqa: PLC0415
    from coloc.state import disk_is_full  # noqa: PLC0415

    config = context.config()
    try:
        status = ask_own_status(config)
    except AgentSilent as error:
        if not disk_is_full(config.paths.state):
            raise
        why = f"{error}; the state cannot be written: the disk of {config.paths.state} is full"
        raise AgentSilent(why, hint="free some space there: the agent waits for it") from error
    say([json.dumps(to_json(status), indent=2)] if as_json else Glance(status, config.coloc.language).everything())
