"""`coloc-agent adopt`: a person says that this machine is the server now, and that what the hosts show is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from agent.cli import Context
from backup import ledger
from backup.borg_output import Archive
from backup.copied import refuse_copy, remember_machine
from backup.hosts import hosts_named, open_known, open_repository
from backup.journal import Journal, open_journal
from backup.run_lock import run_lock
from backup.surprises import refuse_surprises
from coloc.config.whole import Config
from coloc.errors import ColocError, StateError
from coloc.facts import Spool
from coloc.machine import as_text, identity
from coloc.times import now_utc


@click.command(name="adopt", help="Say that this machine is the server now, and that what the hosts show is right.")
@click.option("--host", "hosts", multiple=True, help="Only what this backup host shows.")
@click.option("--dry-run", is_flag=True, help="Say what would be accepted, accept nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(context: Context, hosts: Sequence[str], *, dry_run: bool, yes: bool) -> int:
    """Returns 1 when a host could not be asked, or the person said no."""
    config = context.config()
    journal = open_journal(config.paths.journal)
    with run_lock(config.paths.journal, "adopt", now_utc()):
        copied = _told(lambda: refuse_copy(journal, config.root))
        found, failed = _ask(config, journal, hosts)
        strange = {name: archives for name, archives in found.items() if _strange(config, journal, name, archives)}
        if not copied and not strange:
            click.echo("there is nothing to adopt: the machine is the same, and every host shows what we know")
            return int(failed)
        if dry_run or not (yes or click.confirm("Is all of this right, and is the original server gone?")):
            click.echo("nothing was changed")
            return int(not dry_run)
        if copied:
            remember_machine(journal, config.root)
            Spool(config.paths.facts).write("adopted", now_utc(), machine=as_text(identity(config.root)))
        _accept(config, journal, strange, found)
    click.echo("adopted. Now: systemctl restart coloc-agent, then coloc-agent check and coloc-agent backup")
    return int(failed)


def _ask(config: Config, journal: Journal, hosts: Sequence[str]) -> tuple[dict[str, tuple[Archive, ...]], bool]:
    found, failed = {}, False
    for name in hosts_named(config, hosts):
        try:
            found[name] = open_known(open_repository(config, name), journal).archives
        except ColocError as error:
            failed = True
            click.echo(f"! {error.sentence()}", err=True)
    return found, failed


def _strange(config: Config, journal: Journal, name: str, archives: Sequence[Archive]) -> bool:
    return _told(lambda: refuse_surprises(config, journal, name, archives, now_utc())) or (
        # An append-only host is never taken as known by itself.
        not ledger.since_anew(ledger.read(journal, name)) and bool(archives)
    )


def _told(look: Callable[[], object]) -> bool:
    try:
        look()
    except ColocError as error:
        click.echo(f"! {error}")
        return True
    return False


def _accept(
    config: Config, journal: Journal, strange: dict[str, tuple[Archive, ...]], found: dict[str, tuple[Archive, ...]]
) -> None:
    """What is no longer there is no longer proven; what is there is known from now on."""
    is_whole = _is_whole(journal)
    entries = []
    for name, archives in (strange if is_whole else found).items():
        entries += [ledger.Entry(name, "anew", "", "", {}), *ledger.adopted(config.coloc.name, name, archives)]
        shown = {archive.name for archive in archives}
        journal.forget(name, [key for key, names in journal.proven(name).items() if not names <= shown])
    write = ledger.write_all if is_whole else ledger.begin_again
    write(journal, entries, now_utc())


def _is_whole(journal: Journal) -> bool:
    """False for a book whose signatures or key are wrong: it cannot be gone on with."""
    try:
        ledger.read(journal, "")
    except StateError:
        return False
    return True
