"""`coloc-agent demo`: what `make run` starts. The work is in agent.demo."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True, help="Where it lives."
)
@click.option("--port", type=click.IntRange(0, 65535), default=9942, show_default=True, help="Where the page answers.")
@click.option("--language", type=click.Choice(["fr", "en"]), default="fr", show_default=True)
@click.option("--full", is_flag=True, help="Also start a real Prometheus and a real Matrix server.")
def command(folder: Path, port: int, language: str, full: bool) -> None:
    """Lay out a small colocation and run the agent on it, until Ctrl-C."""
    from agent.demo.show import show  # noqa: PLC0415 - only this command needs it

    show(folder.absolute(), port=port, language=language, full=full)
