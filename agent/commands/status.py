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
    from agent.client import ask_status  # noqa: PLC0415 - `--help` must be quick
    from agent.glance import Glance  # noqa: PLC0415
    from agent.status import to_json  # noqa: PLC0415
    from agent.terminal import say  # noqa: PLC0415

    config = context.config()
    status = ask_status(config.listen, config.paths.state)
    say([json.dumps(to_json(status), indent=2)] if as_json else Glance(status, config.coloc.language).everything())
