"""`coloc-agent metrics`: measure once and print what /metrics would say. Neither the daemon nor its state is needed."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context
    from coloc.config.whole import Config


@click.command("metrics")
@click.option(
    "--root", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Measure the apps of another tree."
)
@click.pass_obj
def command(context: Context, root: Path | None) -> None:
    """Measure once and print it. Counters begin at 0 here, as they do when the daemon starts."""
    from agent.colocation import ColocationReader  # noqa: PLC0415 - `--help` must be quick
    from agent.measure_once import measure_once  # noqa: PLC0415
    from coloc.facts import Spool  # noqa: PLC0415
    from coloc.times import now_utc  # noqa: PLC0415

    config = _config(context, root)
    reader = ColocationReader(config)
    reader.read(now_utc())
    spool = Spool(config.paths.facts) if root is None else None  # this server's backups say nothing of another tree
    measured = measure_once(config, reader.current(), version("coloc-agent"), spool)
    click.echo(measured.text, nl=False)
    for sentence in measured.unseen:
        click.echo(f"coloc-agent: not seen: {sentence}", err=True)


def _config(context: Context, root: Path | None) -> Config:
    """coloc.yml; another tree can also be measured without one, on a server that has none yet."""
    from coloc.config.whole import Coloc, Config  # noqa: PLC0415

    if root is None:
        return context.config()
    if context.config_path.exists():
        return replace(context.config(), root=root)
    return Config(coloc=Coloc(name="unnamed"), root=root)
