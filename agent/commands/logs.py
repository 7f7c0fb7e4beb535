"""`coloc-agent logs`: read the logs of nginx and postfix that are there, once, and print what they count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context


@click.command("logs")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Read the logs and apps of this tree, and nothing of the host.",
)
@click.pass_obj
def command(context: Context, as_json: bool, root: Path | None) -> None:
    """What the logs that are there say of each app's web traffic and mail, rotated ones too. Changes nothing."""
    from agent.logs_once import count_once  # noqa: PLC0415 - `--help` must be quick

    config = context.config() if root is None and context.config_path.exists() else None
    counted = count_once(config, root)
    click.echo(json.dumps(counted.as_json(), indent=1, sort_keys=True) if as_json else counted.as_table())
    for sentence in counted.unseen:
        click.echo(f"coloc-agent: not seen: {sentence}", err=True)
