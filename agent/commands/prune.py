"""`coloc-agent prune`: shows which sets stay and why, and removes the others."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import click

from agent.cli import Context
from agent.colocation import read_colocation
from backup.borg import Repository
from backup.copied import refuse_copy
from backup.hosts import hosts_named, open_repository, refuse_append_only
from backup.journal import open_journal
from backup.nightly import enter
from backup.prune import Pruning, prune_host
from backup.run_lock import run_lock
from backup.surprises import refuse_surprises
from coloc.config.whole import Config
from coloc.errors import ColocError, ConfigError, StateError
from coloc.facts import Spool
from coloc.language import Translate, translator
from coloc.times import for_people, now_utc


@click.command(name="prune", help="Remove archives that retention no longer keeps; shows why each one stays or goes.")
@click.option("--host", "hosts", multiple=True, help="Only this backup host.")
@click.option("--maintenance", is_flag=True, help="On append-only hosts too, with their maintenance key.")
@click.option("--dry-run", is_flag=True, help="Show the plan, remove nothing.")
@click.pass_obj
def command(context: Context, hosts: Sequence[str], *, maintenance: bool, dry_run: bool) -> int:
    """Each host by itself. Returns 1 when one failed."""
    config = context.config()
    say = translator(config.coloc.language, "commands")
    apps = read_colocation(config).inventory.apps
    journal = open_journal(config.paths.journal)
    spool, failures = Spool(config.paths.facts), 0
    with run_lock(config.paths.journal, "prune", now_utc()):
        refuse_copy(journal, config.root)
        for name in hosts_named(config, hosts):
            removed, failure = 0, ""
            try:
                repository = _open(config, name, maintenance=maintenance, dry_run=dry_run)
                found = enter(repository, journal, may_make=False).archives
                refuse_surprises(config, journal, name, found, now_utc())
                names = [archive.name for archive in found]
                pruning = prune_host(
                    config, repository, journal, names=names, apps=apps, now=now_utc(), dry_run=dry_run
                )
                click.echo(plan_text(pruning, config.zone, say))
                removed = len(pruning.removed)
            except ColocError as error:
                failures += 1
                failure = error.sentence()
                click.echo(f"! {failure}", err=True)
            if not dry_run:
                try:
                    spool.write("prune", now_utc(), host=name, ok=not failure, removed=removed, failure=failure)
                except StateError as error:
                    failures += 1
                    told = say("{host}: that is done, but the agent does not hear of it: {why}")
                    click.echo("! " + told.format(host=name, why=error), err=True)
    journal.close()
    return int(failures > 0)


def _open(config: Config, name: str, *, maintenance: bool, dry_run: bool) -> Repository:
    """With the maintenance key where our usual one frees nothing. Raises ColocError."""
    host = config.backup.hosts[name]
    if not host.append_only or (dry_run and not maintenance):
        return open_repository(config, name)
    if not maintenance:
        refuse_append_only(config, name)
    if host.maintenance_key_file is None:
        raise ConfigError(f"{name}: no maintenance_key_file is named", hint="see docs/append-only.md")
    return open_repository(config, name, key_file=host.maintenance_key_file)


def plan_text(pruning: Pruning, zone: ZoneInfo, say: Translate) -> str:
    """One line a set, then what it comes to."""
    keep, remove = say("keep"), say("REMOVE")
    width = max(len(keep), len(remove))
    lines = []
    for verdict in pruning.verdicts:
        word, when = (keep if verdict.keep else remove).ljust(width), for_people(verdict.set.at, zone)
        lines.append(f"{pruning.host}  {word}  {verdict.set.app}  {when}  ({_reason(verdict.reason, say)})")
    told = say("archives removed: {number}") if pruning.done else say("archives that would be removed: {number}")
    lines.append(f"{pruning.host}: " + told.format(number=len(pruning.removed)))
    return "\n".join(lines if pruning.done else [*lines, say("Simulation: nothing was removed")])


def _reason(reason: str, say: Translate) -> str:
    """A reason is a sentence of retention's, or rules such as `daily 2`, with commas between."""
    if reason != (whole := say(reason)):
        return whole
    parts = (part.rpartition(" ") for part in reason.split(", "))
    return ", ".join(
        f"{say(word)} {number}" if number.isdigit() else say(f"{word}{space}{number}") for word, space, number in parts
    )
