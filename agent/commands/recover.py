"""`coloc-agent recover`: a bare server, the recovery sheet and one backup host: configuration, then apps."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from agent.asking import agreed, show_step
from agent.cli import Context
from agent.colocation import read_colocation
from agent.commands.restore_yunohost import restore_through_yunohost, whole_of
from agent.recover_text import end_text
from agent.terminal import harmless
from backup.borg_errors import RepositoryMissing
from backup.hosts import open_known, open_repository
from backup.journal import Journal, open_journal
from backup.manifest import Layout
from backup.names import SYSTEM
from backup.recover import Done, newest_of_each, recover_apps
from backup.recover_config import fetch_config, own_set, put_back, the_coloc
from backup.restore import Restoring
from backup.restore_borrowed import PLACE, borrowed
from backup.restore_plan import Candidate, Wish
from backup.restore_prepare import candidates_of, prepare
from backup.restore_signals import interrupted_by_term
from backup.restore_unfinished import refuse_unfinished
from backup.yunohost_apps import yunohost_program
from backup.yunohost_restore import is_there, unfinished
from coloc.config.reading import load_config
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import translator
from coloc.times import for_people, now_utc


@click.command(name="recover", help="Bring a lost server back from one backup host, with the recovery sheet.")
@click.option("--from", "place", required=True, metavar="PLACE", help="The repository: ssh://… or a folder.")
@click.option("--coloc", metavar="NAME", default="", help="The colocation, when the repository holds several.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="What opens it; else it is asked for.")
@click.option("--key-file", type=click.Path(path_type=Path), help="The ssh key that the host knows.")
@click.option("--known-hosts", type=click.Path(path_type=Path), help="Its host keys; default: beside the ssh key.")
@click.option("--app", "apps", multiple=True, metavar="APP", help="Only this app (may be given several times).")
@click.option("--dry-run", is_flag=True, help="List what there is, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(
    context: Context,
    *,
    place: str,
    coloc: str,
    passphrase_file: Path | None,
    key_file: Path | None,
    known_hosts: Path | None,
    apps: Sequence[str],
    dry_run: bool,
    yes: bool,
) -> int:
    """Returns 1 when an app did not come back, or when the person said no."""
    with tempfile.TemporaryDirectory(prefix="coloc-recover-") as name:
        scratch = Path(name)
        passphrase_file = passphrase_file or _ask_passphrase(scratch)
        bare = Config.model_validate({"coloc": {"name": "recovery"}, "paths": {"journal": str(scratch / "journal")}})
        there = partial(
            borrowed, place=place, passphrase_file=passphrase_file, key_file=key_file, known_hosts_file=known_hosts
        )
        found = _look(there(bare), coloc)
        config = _config(context, found, scratch, dry_run=dry_run, yes=yes)
        if config is None:
            return 1
        return _apps(context, there(config, coloc=found.coloc), apps, dry_run=dry_run, yes=yes)


class _Found:
    """What the repository holds."""

    def __init__(self, config: Config, place: str, coloc: str, candidates: list[Candidate]) -> None:
        self.config, self.place, self.coloc, self.candidates = config, place, coloc, candidates


def _look(config: Config, wanted: str) -> _Found:
    journal = open_journal(config.paths.journal)
    try:
        repository = open_repository(config, PLACE, lock_wait=30)
        try:
            listed = open_known(repository, journal).archives
        except RepositoryMissing as error:
            raise ColocError(
                f"there is no repository at {repository.location}", hint="is it the address on the recovery sheet?"
            ) from error
        coloc = the_coloc([each.name for each in listed], wanted)
        config = borrowed(config, coloc=coloc)
        return _Found(config, repository.location, coloc, candidates_of(config, PLACE, journal))
    finally:
        journal.close()


def _config(context: Context, found: _Found, scratch: Path, *, dry_run: bool, yes: bool) -> Config | None:
    """The agent's configuration as the archives have it, written to its place. None: the person said no."""
    say = translator("fr", "commands")  # coloc.yml, which names the language, is what we look for
    chosen, file = own_set(found.candidates), context.config_path
    if chosen is None:
        click.echo(say("the archives hold no configuration of the agent: the one of this server is used"))
        return load_config(file)
    when = for_people(chosen.set.at, found.config.zone)
    click.echo(say("{coloc}: the agent's configuration of {when}").format(coloc=found.coloc, when=when))
    stage = scratch / "config"
    stage.mkdir()
    fetched = fetch_config(open_repository(found.config, PLACE), chosen, stage, str(file))
    if dry_run:
        return fetched.config
    if not agreed(say("Write it to {file}, and what it names?").format(file=file), say, yes=yes):
        return None
    for path, put in put_back(fetched, file, found.config.backup.hosts[PLACE], found.place):
        click.echo(f"  {harmless(str(path), at_most=1000)}: {say(put)}")
    return load_config(file)


def _apps(context: Context, config: Config, wanted: Sequence[str], *, dry_run: bool, yes: bool) -> int:
    say = translator(config.coloc.language, "commands")
    journal = open_journal(config.paths.journal)
    try:
        chosen = newest_of_each(candidates_of(config, PLACE, journal), now=now_utc())
        unknown = set(wanted) - {each.set.app for each in chosen}
        if unknown:
            raise ColocError(f"there is no whole archive of {min(unknown)!r} there", hint="leave --app out to see all")
        chosen = [each for each in chosen if not wanted or each.set.app in wanted]
        for each in chosen:
            click.echo(f"  {each.set.app}: {for_people(each.set.at, config.zone)}, {each.set.run}")
            if each.set.app == SYSTEM:
                click.echo("    " + say(_SYSTEM_HERE if _has_yunohost(config) else _SYSTEM_LEFT))
        if not _has_yunohost(config):
            chosen = [each for each in chosen if each.set.app != SYSTEM]
        if dry_run:
            click.echo(say("Simulation: nothing was changed"))
            return 0
        if not chosen or not agreed(say("Bring back {number} apps?").format(number=len(chosen)), say, yes=yes):
            return 1
        refuse_unfinished(config)
        bring = partial(_bring, context, config, journal)
        with interrupted_by_term():
            results = recover_apps(config, chosen, bring, on_app=lambda app: click.echo(f"{app} …", err=True))
    finally:
        journal.close()
    click.echo(end_text(results, say))
    return int(any(result.failure for result in results))


_SYSTEM_HERE = "users, permissions, domains, certificates and mail of this server are replaced, with no way back"
_SYSTEM_LEFT = "left out: YunoHost is not installed here (install it first to have its users, domains and mail back)"


def _has_yunohost(config: Config) -> bool:
    """Is YunoHost here, and past its postinstall?"""
    return yunohost_program(config) is not None and is_there(config, SYSTEM)


def _bring(context: Context, config: Config, journal: Journal, each: Candidate) -> Done | None:
    """Through YunoHost what it can make again (accounts, rights, services); else files and databases."""
    say, app = translator(config.coloc.language, "commands"), each.set.app
    if _has_yunohost(config) and (app == SYSTEM or not is_there(config, app) or unfinished(config, app)):
        whole = whole_of(config, each)
        if whole.manifest.layout is Layout.YUNOHOST:
            # The bare server's own parts are not saved there first: they would be the newest to come back.
            restore_through_yunohost(config, whole, partial(show_step, say), context.config_path, save=app != SYSTEM)
            return None
    found = read_colocation(config).inventory.apps.get(app)
    prepared = prepare(config, found, Wish(app), journal, hosts=[PLACE], archive=each.set.run)
    return prepared, Restoring(config, found, prepared, Spool(config.paths.facts), on_step=partial(show_step, say)).go()


def _ask_passphrase(scratch: Path) -> Path:
    """From the keyboard into a private file that is gone afterwards; never an argument."""
    if not sys.stdin.isatty():
        raise ColocError("nobody is here to type the passphrase", hint="name a file with --passphrase-file")
    text = click.prompt("Phrase de passe du dépôt / Passphrase of the repository", hide_input=True)
    file = scratch / "passphrase"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
    return file
