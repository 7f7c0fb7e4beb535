"""`coloc-agent web-latency`: print the nginx drop-in that logs how long requests take. Changes nothing by itself."""

from __future__ import annotations

import click


@click.command("web-latency")
@click.option("--undo", is_flag=True, help="Print the script that takes it away again.")
def command(undo: bool) -> None:
    """Print a script that lets nginx log how long requests take: read it, then run it as root (… | sudo sh)."""
    from agent.latency_dropin import install_script, undo_script  # noqa: PLC0415 - `--help` must be quick

    click.echo(undo_script() if undo else install_script(), nl=False)
