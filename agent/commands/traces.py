"""`coloc-agent traces`: everything that the agent changed outside its own folders, with what undoes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context


@click.command("traces")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON: [{place, what, undo}].")
@click.pass_obj
def command(context: Context, as_json: bool) -> int:
    """List them, found by their own marks. As root, which alone sees all places. 1 when a place cannot be looked at."""
    from agent.commands.quota_root import places, sources_of  # noqa: PLC0415 - `--help` must be quick
    from agent.terminal import harmless  # noqa: PLC0415
    from coloc.errors import ColocError  # noqa: PLC0415

    root, _ = places(context)
    found, failed = [], False
    for source in sources_of(context, root):
        try:
            found += list(source.find())
            for sentence in source.unseen:
                failed = True
                click.echo(f"! {sentence}", err=True)
        except ColocError as error:
            failed = True
            click.echo(f"! {error.sentence()}", err=True)
    if as_json:
        click.echo(json.dumps([asdict(trace) for trace in found], indent=2))
    else:
        for trace in found:
            click.echo(f"{harmless(trace.place)}: {trace.what}\n  undo: {harmless(trace.undo)}")
        if not found:
            click.echo("nothing outside the agent's own folders")
    return int(failed)
