"""`coloc-agent quota`: what each project uses of what was agreed, and what enforcement would do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context


@click.command("quota")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON: {project: [limits]}.")
@click.pass_obj
def command(context: Context, as_json: bool) -> None:
    """Use, limits, step of the ladder, and what would be done. A simulation: nothing is done."""
    from agent.client import ask_own_status  # noqa: PLC0415 - `--help` must be quick
    from agent.glance import Glance  # noqa: PLC0415
    from agent.status import to_json  # noqa: PLC0415
    from agent.terminal import say  # noqa: PLC0415

    config = context.config()
    status = ask_own_status(config)
    data = to_json(status)
    quotas = {project["name"]: list(project["quotas"]) for project in data["projects"]}
    for quota in data["app_quotas"]:
        quotas.setdefault(quota["project"], []).append(quota)
    say([json.dumps(quotas, indent=2)] if as_json else Glance(status, config.coloc.language).quotas())
