"""`coloc-agent incident report`: what happened in one incident, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.cli import Context


@click.group("incident")
def command() -> None:
    """What is remembered of an incident."""


@command.command("report")
@click.argument("incident", metavar="ID", type=click.IntRange(min=1, max=10**12 - 1))
@click.pass_obj
def report(context: Context, incident: int) -> None:
    """Print its timeline in Markdown, for the forum or the minutes: when it began, was told, taken on, was over."""
    from agent.client import ask_past  # noqa: PLC0415 - `--help` must be quick
    from agent.terminal import harmless, say  # noqa: PLC0415

    found = ask_past(context.config(), incident)
    if found is None:
        raise ColocError(
            f"no incident of the number {incident} is remembered",
            hint="their numbers: coloc-agent alerts --history; what is over is forgotten after sixty days",
        )
    say([harmless(line, at_most=2000) for line in found.report.splitlines()])
