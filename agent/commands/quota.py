"""`coloc-agent quota`: what each project uses of what was agreed, what is done about it, and taking all of it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from agent.commands.quota_disk import setup_disk
from agent.commands.quota_root import agree, confirm, undo

if TYPE_CHECKING:
    from agent.cli import Context
    from agent.quota_glance import QuotaGlance


@click.group("quota", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON: {project: [limits]}.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Use, limits, step of the ladder, what is done about it and by which call, and what would be done."""
    if ctx.invoked_subcommand is not None:
        return
    from agent.client import ask_own_status  # noqa: PLC0415 - `--help` must be quick
    from agent.status import to_json  # noqa: PLC0415
    from agent.terminal import say  # noqa: PLC0415

    config = ctx.obj.config()
    status = ask_own_status(config)
    data = to_json(status)
    quotas = {project["name"]: list(project["quotas"]) for project in data["projects"]}
    for quota in data["app_quotas"]:
        quotas.setdefault(quota["project"], []).append(quota)
    say([json.dumps(quotas, indent=2)] if as_json else _glance(ctx.obj).quotas())


@command.command("plan")
@click.pass_obj
def plan(context: Context) -> None:
    """What would be done next to each project, and what it waits for. Changes nothing."""
    from agent.terminal import say  # noqa: PLC0415 - `--help` must be quick

    say(_glance(context).plan())


@command.command("release")
@click.argument("project")
@click.option("--for", "span", default="1d", show_default=True, help="How long it is left alone: 2h, 3d; 0s ends that.")
@click.pass_obj
def release(context: Context, project: str, span: str) -> None:
    """Give a project everything back, and leave it alone for a while. The ladder goes on, as a simulation."""
    from coloc.config.mistakes import nearest  # noqa: PLC0415 - `--help` must be quick
    from coloc.config.values import parse_seconds  # noqa: PLC0415
    from coloc.errors import ColocError  # noqa: PLC0415
    from coloc.requests import ask  # noqa: PLC0415

    config = context.config()
    if project not in config.projects:
        raise ColocError(f"there is no project {project[:80]!r}{nearest(project, config.projects)}")
    try:
        seconds = parse_seconds(span)
    except ValueError as error:
        raise ColocError(f"--for: {error}") from error
    ask(config.paths.requests, "quota_release", project=project, seconds=seconds)
    click.echo(f"the agent was asked to leave {project} alone for {span}; see: coloc-agent quota")


def _glance(context: Context) -> QuotaGlance:
    from agent.client import ask_own_status  # noqa: PLC0415 - `--help` must be quick
    from agent.quota_glance import QuotaGlance  # noqa: PLC0415

    config = context.config()
    return QuotaGlance(ask_own_status(config), config.coloc.language)


for each in (agree, confirm, undo, setup_disk):
    command.add_command(each)
