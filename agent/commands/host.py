"""`coloc-agent host`: a friend's server moves, is replaced, leaves, was attacked: does its part and lists the rest."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import click

from agent.cli import Context
from agent.colocation import read_colocation
from backup import ledger
from backup.borg import Repository
from backup.copied import refuse_copy
from backup.host_leaving import forget_host, not_yet_copied, only_there
from backup.hosts import hosts_named, known_hosts_of, open_known, open_repository, refuse_append_only
from backup.journal import Journal, open_journal
from backup.names import checkpoint_of, parse_archive_name
from backup.nightly import run_night
from backup.pinning import fetch_host_keys, pin
from backup.rollback import forget_borgs_memory, rollback_script
from backup.run_lock import run_lock
from backup.surprises import refuse_surprises
from coloc.config.whole import Config
from coloc.errors import ColocError, ConfigError
from coloc.facts import Spool, write_whole
from coloc.language import Translate, translator
from coloc.times import now_utc


@click.group(name="host", help="When a backup host moves, is replaced, leaves, or was attacked.")
def command() -> None:
    """Its verbs do the work."""


@command.command(name="move", help="The same repository has another address: its host key is pinned again.")
@click.argument("host")
@click.option("--to", "place", required=True, metavar="URL", help="ssh://user@host:port/path, or a folder.")
@click.option("--fingerprint", metavar="SHA256:…", help="The new host key, as its owner reads it out.")
@click.pass_obj
def move(context: Context, host: str, place: str, fingerprint: str | None) -> int:
    """Returns 1 when the person does not know the key."""
    config, say, journal = _opened(context)
    hosts_named(config, [host])
    with run_lock(config.paths.journal, f"host move {host}", now_utc()):
        refuse_copy(journal, config.root)
        if place.startswith("ssh://") and not _pinned(config, host, place, fingerprint, say):
            return 1
        known = journal.known_at(host)
        if known is None:
            raise ColocError(f"{host} has no repository yet", hint="just change its address in coloc.yml")
        old, repository_id = known
        repository = dataclasses.replace(open_repository(_moved(config, host, place), host), has_moved=True)
        found = repository.listing()
        if found.repository_id != repository_id:
            raise ColocError(
                f"{place} holds another repository than {old} did",
                hint=f"for a new one name a new host in coloc.yml, then: coloc-agent host replace {host} --by NEW",
            )
        refuse_surprises(config, journal, host, found.archives, now_utc())
        repository.info()  # it opens Borg's cache, which knows the old address too
        journal.remember_repository(host, place, repository_id)
    kind = "ssh" if place.startswith("ssh://") else "path"
    _checklist(
        [
            (True, say("it is the same repository, with {number} archives").format(number=len(found.archives))),
            (
                False,
                say("in coloc.yml: backup: hosts: {host}: {key}: {place}").format(host=host, key=kind, place=place),
            ),
            (False, "coloc-agent check && systemctl reload coloc-agent"),
            (False, f"coloc-agent key export  # {say('the recovery sheet names the new address')}"),
            (False, say("the owner may then delete what lies at the old address: {place}").format(place=old)),
        ]
    )
    return 0


def _moved(config: Config, host: str, place: str) -> Config:
    key = "ssh" if place.startswith("ssh://") else "path"
    old = config.backup.hosts[host]
    if key == "ssh":
        changed = dataclasses.replace(old, ssh=place, path=None)
    else:  # a folder has none of what an ssh host may have besides
        changed = dataclasses.replace(
            old, ssh=None, path=Path(place), upload_limit=None, append_only=False, maintenance_key_file=None
        )
    hosts = {**config.backup.hosts, host: changed}
    return dataclasses.replace(config, backup=dataclasses.replace(config.backup, hosts=hosts))


def _pinned(config: Config, host: str, place: str, fingerprint: str | None, say: Translate) -> bool:
    keys = fetch_host_keys(place)
    if fingerprint:
        if fingerprint not in keys.fingerprints:
            shown = ", ".join(keys.fingerprints)
            raise ColocError(
                f"{host}: the server shows other keys: {shown}", hint="ask its owner: is it the right one?"
            )
    else:
        for shown in keys.fingerprints:
            click.echo(f"  {shown}")
        if not click.confirm(say("Compare with the owner, not over the same line. Are these the keys of the host?")):
            return False
    pin(known_hosts_of(host, config.backup.hosts[host]), keys.lines)
    return True


@command.command(name="replace", help="Make a full, proven copy on another host, before the old one is dropped.")
@click.argument("host")
@click.option("--by", "new", required=True, metavar="HOST", help="The new host; it is in coloc.yml already.")
@click.pass_obj
def replace(context: Context, host: str, new: str) -> int:
    """Returns 1 while an app is missing on the new host."""
    config, say, journal = _opened(context)
    hosts_named(config, [host, new])
    began, colocation = now_utc(), read_colocation(config)
    night = run_night(config, colocation, hosts=[new], spool=Spool(config.paths.facts), journal=journal)
    proven = {name: journal.last_proven(name) for name in config.backup.hosts}
    goes = [plan.app.id for plan in night.plan.apps if config.saves(colocation.project_of(plan.app.id), new)]
    missing = sorted({*not_yet_copied(goes, new, began, proven), *(each.app for each in night.plan.failed)})
    for sentence in dict.fromkeys(each.failure for each in night.results if each.failure):
        click.echo(f"! {sentence}", err=True)
    alone = only_there(host, config.backup.hosts, proven)
    _checklist(
        [
            (not missing, say("every app is on {host}, and was read back there").format(host=new)),
            *((False, say("not yet there: {app}").format(app=app)) for app in missing),
            *(
                (False, say("only at {host}, of an app that is gone: {app}").format(host=host, app=app))
                for app in alone
            ),
            (
                False,
                say("older archives stay at {host} until it is removed; wait as long as you may need them").format(
                    host=host
                ),
            ),
            (False, f"coloc-agent host remove {host}"),
        ]
    )
    return int(bool(missing))


@command.command(name="remove", help="Drop a host; refused while it alone holds a proven backup of an app.")
@click.argument("host")
@click.option("--delete", is_flag=True, help="Delete our archives there as well.")
@click.option("--even-the-last", is_flag=True, help="Also when apps then have no proven backup any more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: Context, host: str, *, delete: bool, even_the_last: bool, yes: bool) -> int:
    """Returns 1 when the person said no."""
    config, say, journal = _opened(context)
    hosts_named(config, [host])
    alone = only_there(host, config.backup.hosts, {name: journal.last_proven(name) for name in config.backup.hosts})
    if alone and not even_the_last:
        raise ColocError(
            f"{host} alone holds a proven backup of {', '.join(alone)}",
            hint=f"copy first: coloc-agent host replace {host} --by NEW; or, for good: --even-the-last",
        )
    if delete:
        refuse_append_only(config, host)
    if not yes and click.prompt(say("Type the name of the host to go on")) != host:
        return 1
    with run_lock(config.paths.journal, f"host remove {host}", now_utc()):
        refuse_copy(journal, config.root)
        deleted = _delete_all(config, journal, host) if delete else 0
        forget_host(journal, host, now_utc())
    entry = config.backup.hosts[host]
    secrets = [str(file) for file in (entry.passphrase_file, entry.key_file, entry.maintenance_key_file) if file]
    _checklist(
        [
            (True, say("nothing is remembered of {host} any more").format(host=host)),
            (delete, say("our archives there are deleted: {number}").format(number=deleted)),
            (False, say("in coloc.yml: remove {host} below backup: hosts:").format(host=host)),
            (False, "coloc-agent check && systemctl reload coloc-agent"),
            (False, say("the owner removes our ssh key, and what is left of the repository")),
            *((False, f"shred -u {file}") for file in secrets),
            (False, f"coloc-agent key export  # {say('the recovery sheet no longer names it')}"),
        ]
    )
    return 0


def _delete_all(config: Config, journal: Journal, host: str) -> int:
    repository = open_repository(config, host)
    names = [archive.name for archive in open_known(repository, journal).archives]
    owners = {name: parse_archive_name(name) or checkpoint_of(name) for name in names}
    ours = [name for name, owner in owners.items() if owner and owner.coloc == config.coloc.name]
    repository.delete(ours)
    repository.compact()
    return len(ours)


@command.command(name="rollback", help="After an attack on an append-only host: take its repository back to before it.")
@click.argument("host")
@click.option("--before", metavar="TIME", help="A moment before the attack, such as 2026-11-25T02:00+01:00.")
@click.option("--script", type=click.Path(path_type=Path), metavar="FILE", help="Write the script for the owner here.")
@click.option("--done", is_flag=True, help="The owner has run it: compare with our book.")
@click.pass_obj
def rollback(context: Context, host: str, before: str | None, script: Path | None, *, done: bool) -> int:
    """Returns 1 when the host still does not agree with our book."""
    config, say, journal = _opened(context)
    hosts_named(config, [host])
    if done:
        return _after_rollback(config, journal, host, say)
    if not before:
        raise ConfigError("from when on was it attacked?", hint="--before 2026-11-25T02:00+01:00: the last good moment")
    try:
        moment = datetime.fromisoformat(before)
    except ValueError as error:
        raise ConfigError(f"{before!r} is no time", hint="write 2026-11-25T02:00+01:00") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=config.zone)
    text = rollback_script(config.backup.hosts[host].repository, moment)
    if script:
        write_whole(script, text, mode=0o700)
    else:
        click.echo(text)
    _checklist(
        [
            (False, say("change what the attacker had: our ssh key (coloc-agent key rotate), and how he came in")),
            (False, say("no prune and no compact before this is done: they would make his deletions final")),
            (
                False,
                say("the owner of {host} reads the script and runs it where the repository lies").format(host=host),
            ),
            (False, f"coloc-agent host rollback {host} --done"),
        ],
        err=True,
    )
    return 0


def _after_rollback(config: Config, journal: Journal, host: str, say: Translate) -> int:
    with run_lock(config.paths.journal, f"host rollback {host}", now_utc()):
        refuse_copy(journal, config.root)
        repository: Repository = open_repository(config, host)
        known = journal.known_at(host)
        if known:
            forget_borgs_memory(repository.base, known[1])
        found = open_known(repository, journal).archives
        seen = ledger.compare(config.coloc.name, ledger.read(journal, host), found)
    shown = {archive.name for archive in found}
    whole = sum(names <= shown for names in journal.proven(host).values())
    _checklist(
        [
            (True, say("{host} answers, with {number} proven backups").format(host=host, number=whole)),
            *((False, say("made after that moment, and gone: {name}").format(name=name)) for name in seen.lost),
            *((False, say("our book does not know: {name}").format(name=name)) for name in seen.unknown),
            (False, f"coloc-agent archives --host {host}; coloc-agent backup --host {host}"),
            *([] if seen.agrees else [(False, f"coloc-agent adopt --host {host}")]),
        ]
    )
    return int(not seen.agrees)


def _opened(context: Context) -> tuple[Config, Translate, Journal]:
    config = context.config()
    return config, translator(config.coloc.language, "commands"), open_journal(config.paths.journal)


def _checklist(points: list[tuple[bool, str]], *, err: bool = False) -> None:
    for done, text in points:
        click.echo(f"[{'x' if done else ' '}] {text}", err=err)
