"""`coloc-agent run`: the daemon in the foreground, as systemd starts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context


@click.command("run")
@click.pass_obj
def command(context: Context) -> None:
    """Run the daemon until it is told to stop."""
    from agent.daemon import Daemon  # noqa: PLC0415 - heavy, and only this command needs it
    from agent.logs import log_to  # noqa: PLC0415
    from agent.notify import Notifier  # noqa: PLC0415
    from agent.reading_aside import load_config_aside  # noqa: PLC0415
    from agent.rhythm import Clocks  # noqa: PLC0415
    from agent.runner import ChildRunner, Runner, SystemdRunner  # noqa: PLC0415

    config = load_config_aside(context.config_path)
    log_to()
    runner: Runner
    if os.environ.get("INVOCATION_ID") and Path("/run/systemd/system").is_dir():
        runner = SystemdRunner(config.paths.wake)
    else:
        runner = ChildRunner(context.config_path.absolute(), config.paths.state / "backup.log")
    Daemon(context.config_path, runner=runner, notifier=Notifier(), say=_say, clocks=Clocks()).run(config)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
