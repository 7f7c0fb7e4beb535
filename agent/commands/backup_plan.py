"""`coloc-agent backup plan`: each host's next night, and what retention keeps and removes there. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import click

from agent.cli import Context
from agent.colocation import read_colocation
from agent.commands.prune import plan_text
from agent.due import host_is_due, last_slot, next_slot
from backup.hosts import hosts_named, open_known, open_repository
from backup.journal import Journal, open_journal
from backup.prune import prune_host
from coloc.config.backups import Keep
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.language import Translate, translator
from coloc.times import for_people, now_utc


@click.command(name="plan", help="When each host's next night is, and what retention keeps there. Changes nothing.")
@click.option("--host", "hosts", multiple=True, help="Only this backup host.")
@click.pass_obj
def command(context: Context, hosts: Sequence[str]) -> int:
    """Each host by itself. Returns 1 when one could not be asked."""
    config = context.config()
    say = translator(config.coloc.language, "commands")
    apps, failures = read_colocation(config).inventory.apps, 0
    journal = open_journal(config.paths.journal)
    for name in hosts_named(config, hosts):
        click.echo(night_text(config, journal, name, say))
        try:
            repository = open_repository(config, name)
            names = [archive.name for archive in open_known(repository, journal).archives]
            plan = prune_host(config, repository, journal, names=names, apps=apps, now=now_utc(), dry_run=True)
            click.echo(plan_text(plan, config.zone, say))
        except ColocError as error:
            failures += 1
            click.echo(f"! {error.sentence()}", err=True)
    journal.close()
    return int(failures > 0)


def night_text(config: Config, journal: Journal, name: str, say: Translate) -> str:
    """When a host's next night begins, and the rules of its retention."""
    now, host = now_utc(), config.backup.hosts[name]
    at = host.starts_at(config.backup.at)
    if host_is_due(host, config.backup.at, (journal.last_night(name),), config.zone, now):
        when = for_people(last_slot(at, config.zone, now), config.zone)
        told = say("{host}: next night due since {when}; keeps {rules}")
    else:
        when = for_people(next_slot(at, config.zone, now), config.zone)
        told = say("{host}: next night {when}; keeps {rules}")
    when += f" ({host.window})" if host.window else ""
    rules = _words(host.keep or config.backup.keep, config.backup.minimum, say)
    return told.format(host=name, when=when, rules=rules)


def _words(keep: Keep, minimum: int, say: Translate) -> str:
    numbers = [f"{count} {say(name)}" for name, count in keep.as_data().items() if count]
    return ", ".join([*numbers, say("at least {number} proven").format(number=minimum)])
