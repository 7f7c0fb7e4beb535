"""`coloc-agent restore`: shows what it would do, asks, and brings an app back; `restore undo` is the way back."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from agent.asking import agreed, show_step
from agent.cli import Context
from agent.colocation import read_colocation
from agent.commands.restore_yunohost import find, restore_through_yunohost, show_plan
from agent.restore_back import resume, tidy, undo
from agent.restore_choice import ask_number, choose_app, choose_set, on_terminal
from agent.restore_in_place import do_in_place, go_on_in_place
from agent.restore_text import end_text, plan_text
from agent.terminal import harmless
from backup.journal import open_journal
from backup.restore import Restoring
from backup.restore_borrowed import borrowed
from backup.restore_elsewhere import require_empty, restore_to
from backup.restore_in_place import spaces_in_place
from backup.restore_journal import RestoreJournal
from backup.restore_named import Named, named, restore_named
from backup.restore_plan import Only, Wish, refuse_when_full
from backup.restore_prepare import Prepared, prepare
from backup.restore_signals import interrupted_by_term
from backup.restore_undo import has_no_way_back
from backup.restore_unfinished import refuse_unfinished
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import Translate, translator
from coloc.times import now_utc


@click.command(name="restore", help="Bring an app back from an archive: the newest proven one, unless told otherwise.")
@click.argument("words", nargs=-1, metavar="APP | undo [APP]")
@click.option("--from", "host", metavar="HOST", help="The backup host to take it from.")
@click.option("--archive", metavar="A", help="This archive or run, as `coloc-agent archives` names it.")
@click.option(
    "--at", metavar="TIME", help="The newest archive not after this time, such as 2026-11-23 or 2026-11-23T04:00."
)
@click.option("--only", type=click.Choice(["files", "database"]), help="Only the files, or only the databases.")
@click.option("--path", metavar="P", default="", help="Only this file or folder, below the app's folders.")
@click.option(
    "--to", "elsewhere", type=click.Path(path_type=Path), help="Into this empty folder; the app is not touched."
)
@click.option("--yunohost", is_flag=True, help="The whole app through YunoHost's own restore, also when it is gone.")
@click.option("--database", metavar="NEW", default="", help="The app's database into a new one (OLD=NEW for several).")
@click.option("--domain", metavar="DOMAIN", default="", help="Its settings on this domain, not that of the archive.")
@click.option("--coloc", metavar="NAME", default="", help="From the archives of this colocation (of a server gone).")
@click.option("--repository", metavar="PLACE", default="", help="From this ssh://… or folder, not in coloc.yml.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="With --repository: what opens it.")
@click.option("--key-file", type=click.Path(path_type=Path), help="With --repository: the ssh key.")
@click.option(
    "--in-place", is_flag=True, help="Write over what is there, file by file: when room is missing. NO WAY BACK."
)
@click.option("--confirm", metavar="APP", default="", help="With --in-place: the app's name, typed once more.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--undo", "is_undo", is_flag=True, help="The same as `coloc-agent restore undo`.")
@click.option("--resume", "is_resume", is_flag=True, help="Finish a restore that was cut off.")
@click.option("--tidy", "is_tidy", is_flag=True, help="Remove what old restores replaced (backup.keep_replaced).")
@click.pass_obj
def command(
    context: Context,
    *,
    words: tuple[str, ...],
    host: str | None,
    archive: str | None,
    at: str | None,
    only: str | None,
    path: str,
    elsewhere: Path | None,
    yunohost: bool,
    database: str,
    domain: str,
    coloc: str,
    repository: str,
    passphrase_file: Path | None,
    key_file: Path | None,
    in_place: bool,
    confirm: str,
    dry_run: bool,
    yes: bool,
    is_undo: bool,
    is_resume: bool,
    is_tidy: bool,
) -> int:
    """Returns 0 when it is done, 1 when the person said no."""
    logging.getLogger("backup").addHandler(logging.NullHandler())  # what it logs is said at the end as well
    config = context.config()
    say = translator(config.coloc.language, "commands")
    is_undo, app = _app_of(words, is_undo=is_undo)
    if is_tidy:
        return tidy(config, say, dry_run=dry_run)
    if is_undo:
        return undo(config, app, say, dry_run=dry_run, yes=yes)
    if is_resume:
        return resume(config, app, say, lambda journal: _again(config, journal, say), dry_run=dry_run, yes=yes)
    moment = parse_at(at, config) if at else None
    asked = _Asked(
        app, host, archive, moment, only, path, elsewhere, database, domain, in_place, confirm, dry_run=dry_run, yes=yes
    )
    if problem := _contradiction(asked, yunohost=yunohost, borrowing=bool(coloc or repository)):
        raise click.UsageError(problem)
    if yunohost:
        return _through_yunohost(context, asked, say)
    return _restore(
        borrowed(config, coloc=coloc, place=repository, passphrase_file=passphrase_file, key_file=key_file), asked, say
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the person asks for, as the options say it."""

    app: str
    host: str | None
    archive: str | None
    at: datetime | None
    only: str | None
    path: str
    elsewhere: Path | None
    database: str
    domain: str
    in_place: bool
    confirm: str
    dry_run: bool
    yes: bool

    @property
    def wish(self) -> Wish:
        part = Only.DATABASE if self.database else Only(self.only) if self.only else Only.ALL
        return Wish(self.app, part, self.path, self.domain)


def _contradiction(asked: _Asked, *, yunohost: bool, borrowing: bool) -> str:
    """Which options contradict each other; "" when none do."""
    part = asked.only or asked.database
    if yunohost and (part or asked.path or asked.elsewhere or asked.domain or asked.in_place or borrowing):
        return "--yunohost brings the whole app back: only --from, --archive and --at go with it"
    if asked.path and part:
        return "--path is of files alone: leave --only and --database out"
    if asked.in_place and (asked.database or asked.elsewhere or asked.path):
        return "--in-place is of an app at its own place, whole or --only"
    if asked.domain and (asked.in_place or part or asked.path):
        return "--domain is of a whole app: not with --in-place, --only, --database or --path"
    return "--database or --to, not both" if asked.database and asked.elsewhere else ""


def _restore(config: Config, asked: _Asked, say: Translate) -> int:
    """Plan, show, ask, do. The exit code."""
    elsewhere = asked.elsewhere
    if elsewhere:
        require_empty(elsewhere)
    elif not asked.dry_run:
        refuse_unfinished(config)
    if not (asked.archive or asked.at or asked.yes or asked.dry_run) and on_terminal():
        asked = _choose(config, asked, say)
    _require_app(asked)
    room = elsewhere or (config.paths.journal if asked.database else None)
    prepared = _prepare(config, asked.wish, host=asked.host, archive=asked.archive, at=asked.at, elsewhere=room)
    copy = named(prepared.plan, asked.database) if asked.database else None
    if asked.in_place:
        prepared = replace(prepared, plan=replace(prepared.plan, spaces=spaces_in_place(config, prepared)))
    click.echo(plan_text(prepared.plan, config, copy.name if copy else str(elsewhere or ""), say))
    refuse_when_full(prepared.plan.spaces)
    if asked.dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if copy:
        return _copy(config, prepared, copy, say)
    if asked.in_place:
        return do_in_place(config, prepared, say, confirm=asked.confirm)
    return _do(config, prepared, elsewhere, say) if elsewhere or agreed(say("Restore?"), say, yes=asked.yes) else 1


def _require_app(asked: _Asked) -> None:
    if not asked.app:
        raise click.UsageError("name the app; `coloc-agent archives` lists what there is")


def _copy(config: Config, prepared: Prepared, copy: Named, say: Translate) -> int:
    with interrupted_by_term():
        restore_named(config, prepared, copy, on_step=partial(show_step, say))
    told = say("the database {new} holds what {old} was; the app itself was not touched")
    click.echo(told.format(new=harmless(copy.name), old=harmless(copy.saved.name)))
    return 0


def _choose(config: Config, asked: _Asked, say: Translate) -> _Asked:
    """App, host and run, chosen from lists."""
    hosts, journal = [asked.host] if asked.host else [], open_journal(config.paths.journal)
    try:
        app = asked.app or choose_app(config, journal, say, hosts=hosts, ask=ask_number)
        choice = choose_set(config, journal, app, say, hosts=hosts, now=now_utc(), ask=ask_number)
    finally:
        journal.close()
    return replace(asked, app=choice.app, host=choice.host, archive=choice.run)


def _app_of(words: tuple[str, ...], *, is_undo: bool) -> tuple[bool, str]:
    """(is it `undo`?, the app or "")."""
    if words[:1] == ("undo",) and not is_undo:
        is_undo, words = True, words[1:]
    if len(words) > 1:
        raise click.UsageError("one app at a time")
    return is_undo, words[0] if words else ""


def _prepare(
    config: Config,
    wish: Wish,
    *,
    host: str | None,
    archive: str | None,
    at: datetime | None = None,
    elsewhere: Path | None = None,
) -> Prepared:
    found = read_colocation(config).inventory.apps.get(wish.app)
    journal = open_journal(config.paths.journal)
    try:
        hosts = [host] if host else []
        return prepare(config, found, wish, journal, hosts=hosts, archive=archive, at=at, elsewhere=elsewhere)
    finally:
        journal.close()


def _do(config: Config, prepared: Prepared, elsewhere: Path | None, say: Translate) -> int:
    app, show = prepared.plan.wish.app, partial(show_step, say)
    with interrupted_by_term():
        if elsewhere:
            restore_to(prepared, elsewhere, numeric_ids=config.root != Path("/"), on_step=show)
            click.echo(say("{app} is in {folder}; the app itself was not touched").format(app=app, folder=elsewhere))
            return 0
        found = read_colocation(config).inventory.apps.get(app)
        restored = Restoring(config, found, prepared, Spool(config.paths.facts), on_step=show).go()
    click.echo(end_text(prepared.plan, restored, say))
    return 0


def _through_yunohost(context: Context, asked: _Asked, say: Translate) -> int:
    config, app = context.config(), asked.app
    _require_app(asked)
    journal = open_journal(config.paths.journal)
    try:
        whole = find(config, app, journal, host=asked.host, archive=asked.archive, at=asked.at)
    finally:
        journal.close()
    show_plan(config, whole, say)
    if asked.dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if not agreed(say("Restore?"), say, yes=asked.yes):
        return 1
    with interrupted_by_term():
        safety = restore_through_yunohost(config, whole, partial(show_step, say), context.config_path)
    click.echo(say("{app} was restored by YunoHost").format(app=app))
    if safety:
        way = say("the way back: coloc-agent restore {app} --yunohost --archive {archive}")
        click.echo("  " + way.format(app=app, archive=safety))
    return 0


def _again(config: Config, journal: RestoreJournal, say: Translate) -> int:
    """The same restore from its beginning: the same parts of the same run from the same host."""
    wish = Wish(journal.app, Only(journal.only), journal.wanted, journal.domain)
    prepared = _prepare(config, wish, host=journal.host, archive=journal.run)
    if has_no_way_back(journal):
        return go_on_in_place(config, prepared, journal, say)
    click.echo(plan_text(prepared.plan, config, "", say))
    refuse_when_full(prepared.plan.spaces)
    return _do(config, prepared, None, say)


def parse_at(text: str, config: Config) -> datetime:
    """A time that a person wrote: in the colocation's zone unless it has an offset; a day alone means its end."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ColocError(f"{text!r} is no time", hint="write 2026-11-23 or 2026-11-23T04:00") from error
    if len(text) == len("2026-11-23"):
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment if moment.tzinfo else moment.replace(tzinfo=config.zone)
