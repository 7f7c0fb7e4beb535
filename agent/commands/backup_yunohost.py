"""What ties backups to YunoHost: `backup hooks` installs our two hooks, one of them calls `backup before-upgrade`."""

from __future__ import annotations

import sys
import threading
from datetime import datetime
from pathlib import Path

import click

from agent.cli import Context
from agent.colocation import read_colocation
from backup.journal import Journal, open_journal
from backup.names import run_time
from backup.nightly import run_night
from backup.stopping import stopped_by_signals
from backup.yunohost_apps import yunohost_program
from backup.yunohost_hooks import install, remove, texts
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import translator
from coloc.times import for_people, now_utc


def install_hooks(config: Config, config_path: Path) -> list[Path]:
    """Our hooks as they should be, where YunoHost is; those that were written. Raises StateError."""
    if yunohost_program(config) is None:
        return []
    ours = Path(sys.executable).parent / "coloc-agent"
    argv = [str(ours), "--config", str(config_path.absolute()), "backup", "before-upgrade"]
    return install(config.root, texts(config.paths.journal, argv, config.backup.yunohost.before_upgrade))


@click.command(name="hooks", help="Install our hooks in YunoHost: our backup method, a backup before an upgrade.")
@click.option("--remove", "removes", is_flag=True, help="Take them away.")
@click.pass_obj
def hooks_command(context: Context, *, removes: bool) -> int:
    """Returns 0; each nightly run does the same."""
    config = context.config()
    say = translator(config.coloc.language, "commands")
    if not removes and yunohost_program(config) is None:
        raise ColocError("there is no YunoHost here", hint="without it no hook is needed: apps are backed up anyway")
    for path in remove(config.root) if removes else install_hooks(config, context.config_path):
        click.echo((say("removed: {path}") if removes else say("written: {path}")).format(path=path))
    return 0


@click.command(name="before-upgrade", help="A fresh proven backup of an app, unless there is one.")
@click.argument("app")
@click.pass_obj
def before_upgrade_command(context: Context, app: str) -> int:
    """Returns 0 when there is a fresh proven backup now."""
    config = context.config()
    say = translator(config.coloc.language, "commands")
    journal, stop = open_journal(config.paths.journal), threading.Event()
    try:
        if fresh := newest(journal, app, config, now_utc()):
            told = say("{app}: the backup of {when} is fresh enough")
            click.echo(told.format(app=app, when=for_people(fresh, config.zone)))
            return 0
        with stopped_by_signals(stop):
            night = run_night(
                config,
                read_colocation(config),
                apps=[app],
                spool=Spool(config.paths.facts),
                journal=journal,
                stop=stop,
                lock_wait=30,
            )
    finally:
        journal.close()
    if night.saved:
        click.echo(say("{app}: a fresh backup is proven").format(app=app))
    for failure in [each.failure for each in night.results if each.failure] + [each.why for each in night.plan.failed]:
        click.echo(f"! {failure}", err=True)
    return int(not night.saved)


def newest(journal: Journal, app: str, config: Config, now: datetime) -> datetime | None:
    """When the newest proven backup of an app on any host began, if it is fresh."""
    runs = [run_time(run) for host in config.backup.hosts for proven, run in journal.proven(host) if proven == app]
    fresh = [at for at in runs if 0 <= (now - at).total_seconds() <= config.backup.yunohost.fresh]
    return max(fresh, default=None)
