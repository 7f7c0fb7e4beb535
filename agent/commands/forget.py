"""`coloc-agent forget APP`: deletes what an app left behind on every backup host; with a receipt for its people."""

from __future__ import annotations

from datetime import timedelta

import click

from agent.cli import Context
from agent.colocation import read_colocation
from backup.copied import refuse_copy
from backup.forgetting import (
    Forgetting,
    archives_to_forget,
    ask_to_forget,
    forget_on,
    forgettings,
    keep_receipt,
    refuse_to_forget,
)
from backup.hosts import open_known, open_repository, refuse_append_only
from backup.journal import Journal, open_journal
from backup.leaving import left_since
from backup.names import LIKE_APPS, require_id
from backup.retention import Left
from backup.run_lock import run_lock
from backup.surprises import refuse_surprises
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.times import now_utc


@click.command(name="forget", help="Delete what an app left behind on every backup host, for good; with a receipt.")
@click.argument("app")
@click.option("--now", "at_once", is_flag=True, help="Do not wait until backup.left_after is over.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(context: Context, app: str, *, at_once: bool, dry_run: bool, yes: bool) -> int:
    """Returns 0 when nothing of the app is left anywhere, 1 when a host stays open or the person said no."""
    config = context.config()
    require_id(app)
    here = {*read_colocation(config).inventory.apps, *LIKE_APPS}
    journal = open_journal(config.paths.journal)
    left = Left(left_since(journal), timedelta(0) if at_once else timedelta(seconds=config.backup.left_after))
    if at_once:
        left = Left({app: now_utc(), **left.since}, left.after)
    if not any(each.done_at is None for each in forgettings(journal, app=app)):
        refuse_to_forget(app, here, left, now_utc(), config.zone)
    if dry_run:
        return _show(config, journal, app)
    if not yes and click.prompt(f"Every archive of {app} is deleted for good. Type its name to go on") != app:
        click.echo("nothing was deleted")
        return 1
    with run_lock(config.paths.journal, f"forget {app}", now_utc()):
        refuse_copy(journal, config.root)
        return _forget(config, journal, app)


def _show(config: Config, journal: Journal, app: str) -> int:
    failed = False
    for host in config.backup.hosts:
        try:
            listing = open_known(open_repository(config, host), journal)
        except ColocError as error:
            click.echo(f"! {error.sentence()}", err=True)
            failed = True
            continue
        names = archives_to_forget(config.coloc.name, app, (each.name for each in listing.archives), now_utc())
        for name in names:
            click.echo(f"{host}  DELETE  {name}")
        click.echo(f"{host}: {len(names)} archives would be deleted (simulation)")
    return int(failed)


def _forget(config: Config, journal: Journal, app: str) -> int:
    asked = ask_to_forget(journal, app, list(config.backup.hosts), now_utc())
    spool, is_open = Spool(config.paths.facts), False
    for what in asked:
        try:
            click.echo(f"{what.host}: deleting…", err=True)
            _on_host(config, journal, what)
            spool.write("forgotten", now_utc(), app=app, host=what.host)
        except ColocError as error:
            is_open = True
            click.echo(f"! {error.sentence()} (this stays open; the nightly run finishes it)", err=True)
    for moment in dict.fromkeys(each.asked_at for each in asked):
        path, text = keep_receipt(journal, config.coloc.name, app, moment)
        click.echo(f"{text}({path})")
    for host in _elsewhere(config, journal, app):
        click.echo(f"! {host}: is no longer in coloc.yml; whoever keeps it must delete its archives there", err=True)
    return int(is_open)


def _on_host(config: Config, journal: Journal, what: Forgetting) -> None:
    refuse_append_only(config, what.host)
    repository = open_repository(config, what.host)
    found = open_known(repository, journal).archives
    refuse_surprises(config, journal, what.host, found, now_utc())
    names = [archive.name for archive in found]
    forget_on(repository, journal, what, coloc=config.coloc.name, names=names, now=now_utc())


def _elsewhere(config: Config, journal: Journal, app: str) -> list[str]:
    rows = journal.ask("SELECT DISTINCT host FROM proven WHERE app = ? ORDER BY host", (app,))
    return [row[0] for row in rows if row[0] not in config.backup.hosts]
