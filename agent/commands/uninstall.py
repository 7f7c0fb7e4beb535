"""`coloc-agent uninstall`: takes back everything outside its own folders, and only then lets the program be removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context

SCRIPT = Path("/opt/coloc-agent/share/uninstall.sh")


@click.command("uninstall")
@click.option("--purge", is_flag=True, help="Configuration, secrets and history as well.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken back, do nothing.")
@click.pass_context
def command(ctx: click.Context, purge: bool, dry_run: bool) -> int:
    """Undo, then remove units, venv and command. Archives on the backup hosts are not touched. As root."""
    from agent.commands.quota_root import undo  # noqa: PLC0415 - `--help` must be quick
    from coloc.command import run  # noqa: PLC0415
    from coloc.errors import ColocError  # noqa: PLC0415

    context: Context = ctx.obj
    left: int = ctx.invoke(undo, everything=True, dry_run=dry_run)
    if left:
        raise ColocError("something of the agent is left outside its own folders", hint="mend what is told above first")
    if dry_run:
        return 0
    if not SCRIPT.is_file():
        raise ColocError(f"{SCRIPT} is missing", hint="run deploy/uninstall.sh of the checkout it came from")
    output = run(
        ["sh", str(SCRIPT), *(["--purge"] if purge else [])],
        timeout=600,
        env={"COLOC_CONFIG": str(context.config_path)},
    )
    click.echo(output.stdout.rstrip())
    return 0
