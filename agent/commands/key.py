"""`coloc-agent key`: gives what opens the backups to the adminsys, proves it, and changes it when one leaves."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli import Context
from backup import escrow
from backup.copied import refuse_copy
from backup.escrow_facts import tell_escrow
from backup.hosts import hosts_named, open_repository
from backup.journal import Journal, open_journal
from backup.rotation import has_new_key, new_ssh_key, rotate_passphrase, take_ssh_key
from backup.run_lock import run_lock
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import Translate, translator
from coloc.times import now_utc


@click.group(name="key", help="Give what opens the backups to the adminsys; prove it; change it when one leaves.")
def command() -> None:
    """Its verbs do the work."""


@command.command(name="export", help="Write the recovery sheet, encrypted to every adminsys, and prove that it opens.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where; default below paths.journal.")
@click.pass_obj
def export(context: Context, output: Path | None) -> int:
    """Returns 1 when a host could not be proven."""
    config, say, journal = _opened(context)
    with run_lock(config.paths.journal, "key export", now_utc()):
        refuse_copy(journal, config.root)
        return _export(config, journal, output, say)


def _export(config: Config, journal: Journal, output: Path | None, say: Translate) -> int:
    hosts = {name: escrow.sheet_host(config, name) for name in hosts_named(config, None)}
    sheet = escrow.write_sheet(config, hosts, now_utc())
    identity, public = escrow.prover(journal)
    file = output or journal.folder / "escrow" / f"{config.coloc.name}.age"
    people = [name for name, person in sorted(config.adminsys.items()) if person.age]
    if not people:
        raise ColocError(
            "no adminsys has a public key in coloc.yml", hint="adminsys: NAME: age: [age1… or a line ssh-ed25519 …]"
        )
    kept = journal.folder / "escrow" / f"{config.coloc.name}.age"
    for place in dict.fromkeys((kept, file)):
        escrow.encrypt(sheet, [*escrow.recipients_of(config), public], place)
    outcome = escrow.prove(escrow.read_sheet(escrow.decrypt(kept, identity)), journal.folder)
    failures = [why for why in outcome.values() if why]
    for why in failures:
        click.echo(f"! {why}", err=True)
    if not failures:
        mark = escrow.fingerprint(config, journal)
        escrow.remember(journal, "escrow", mark, now_utc())
        escrow.remember(journal, "escrow-proven", mark, now_utc())
    tell_escrow(config, journal, Spool(config.paths.facts), now_utc())
    click.echo(
        say("{file}: opens {hosts}; encrypted to {people}").format(
            file=file, hosts=", ".join(hosts), people=", ".join(people)
        )
    )
    click.echo("[ ] " + say("give it to each of them: any may keep it, only they can open it; not on a backup host"))
    click.echo("[ ] " + say("each tries it once: age --decrypt -i KEY {file}").format(file=file.name))
    return int(bool(failures))


@command.command(name="prove", help="Open every repository with a recovery sheet alone.")
@click.option("--file", type=click.Path(path_type=Path, exists=True), help="A sheet; default: the exported one.")
@click.option("--identity", type=click.Path(path_type=Path, exists=True), help="An adminsys' own key; default root's.")
@click.pass_obj
def prove(context: Context, file: Path | None, identity: Path | None) -> int:
    """Returns 1 when one does not open."""
    config, say, journal = _opened(context)
    sheet = file or journal.folder / "escrow" / f"{config.coloc.name}.age"
    if not sheet.exists():
        raise ColocError("no recovery sheet was exported yet", hint="coloc-agent key export")
    hosts = escrow.read_sheet(escrow.decrypt(sheet, identity or escrow.prover(journal)[0]))
    outcome = escrow.prove(hosts, journal.folder)
    for name, why in outcome.items():
        click.echo(f"! {why}" if why else say("{host}: opens with the sheet alone").format(host=name))
    missing = sorted(set(config.backup.hosts) - set(hosts))
    for name in missing:
        click.echo("! " + say("{host}: is not in the sheet: coloc-agent key export").format(host=name))
    good = not missing and not any(outcome.values())
    if good and file is None:
        escrow.remember(journal, "escrow-proven", escrow.fingerprint(config, journal), now_utc())
    tell_escrow(config, journal, Spool(config.paths.facts), now_utc())
    return int(not good)


@command.command(name="rotate", help="New passphrases and ssh keys, when an adminsys leaves.")
@click.option("--host", "hosts", multiple=True, help="Only this backup host.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def rotate(context: Context, hosts: tuple[str, ...], *, yes: bool) -> int:
    """Run it again after the owners have let the new ssh keys in. Returns 1 while something is left to do."""
    config, say, journal = _opened(context)
    names = hosts_named(config, hosts)
    if not yes and not click.confirm(say("New passphrases and ssh keys for {hosts}?").format(hosts=", ".join(names))):
        return 1
    with run_lock(config.paths.journal, "key rotate", now_utc()):
        refuse_copy(journal, config.root)
        waiting = [name for name in names if has_new_key(open_repository(config, name))]
        left = [line for name in waiting for line in _take(config, name, say)]
        if not waiting:  # a second call only takes the keys that the owners have let in
            done: set[str] = set()
            for name in names:
                if name not in done:
                    changed = rotate_passphrase(config, name)
                    done |= set(changed)
                    click.echo("[x] " + say("new passphrase: {hosts}").format(hosts=", ".join(changed)))
            left = [line for name in names if config.backup.hosts[name].ssh for line in _offer(config, name, say)]
        if any(person.age for person in config.adminsys.values()):
            failed = _export(config, journal, None, say)
        else:
            failed = 1
            left.append(say("name a public key for each adminsys in coloc.yml (age:), then: coloc-agent key export"))
    for line in left:
        click.echo(f"[ ] {line}")
    click.echo("[ ] " + say("take the adminsys out of coloc.yml, of the server's accounts, and of the rooms"))
    click.echo(
        "[ ] "
        + say(
            "who kept an old sheet and can reach a repository still reads what it holds: for a full"
            " change, a new host: coloc-agent host replace"
        )
    )
    return int(bool(left) or bool(failed))


def _offer(config: Config, name: str, say: Translate) -> list[str]:
    public = new_ssh_key(open_repository(config, name))
    return [
        say("{host}: its owner adds this key, beside the old one:").format(host=name) + f"\n    {public}",
        say("then: coloc-agent key rotate --host {host}").format(host=name),
    ]


def _take(config: Config, name: str, say: Translate) -> list[str]:
    try:
        take_ssh_key(open_repository(config, name))
    except ColocError as error:
        return [f"{error.sentence()}", *_offer(config, name, say)]
    click.echo("[x] " + say("{host}: the new ssh key is used").format(host=name))
    return [say("{host}: its owner removes the old key").format(host=name)]


def _opened(context: Context) -> tuple[Config, Translate, Journal]:
    config = context.config()
    return config, translator(config.coloc.language, "commands"), open_journal(config.paths.journal)
