"""`coloc-agent restore`: shows what it would do, asks, and brings an app back; `restore undo` is the way back."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from agent.asking import agreed, show_step
from agent.cli import Context
from agent.colocation import read_colocation
from agent.commands.restore_yunohost import find, restore_through_yunohost, show_plan
from agent.restore_back import resume, tidy, undo
from agent.restore_text import end_text, plan_text
from backup.journal import open_journal
from backup.restore import Restoring
from backup.restore_elsewhere import require_empty, restore_to
from backup.restore_journal import RestoreJournal
from backup.restore_plan import Only, Wish, refuse_when_full
from backup.restore_prepare import Prepared, prepare
from backup.restore_signals import interrupted_by_term
from backup.restore_unfinished import refuse_unfinished
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import Translate, translator


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
    if not app:
        raise click.UsageError("name the app; `coloc-agent archives` lists what there is")
    if path and only:
        raise click.UsageError("--path is of files already: leave --only out")
    if yunohost:
        if only or path or elsewhere:
            raise click.UsageError("--yunohost brings the whole app back: leave --only, --path and --to out")
        moment = parse_at(at, config) if at else None
        return _through_yunohost(context, app, say, host=host, archive=archive, at=moment, dry_run=dry_run, yes=yes)
    if not elsewhere and not dry_run:
        refuse_unfinished(config)
    if elsewhere:
        require_empty(elsewhere)
    wish = Wish(app, Only(only) if only else Only.ALL, path)
    moment = parse_at(at, config) if at else None
    prepared = _prepare(config, wish, host=host, archive=archive, at=moment, elsewhere=elsewhere)
    click.echo(plan_text(prepared.plan, config, elsewhere, say))
    refuse_when_full(prepared.plan.spaces)
    if dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if not elsewhere and not agreed(say("Restore?"), say, yes=yes):
        return 1
    return _do(config, prepared, elsewhere, say)


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
    click.echo(end_text(app, restored, say))
    return 0


def _through_yunohost(
    context: Context,
    app: str,
    say: Translate,
    *,
    host: str | None,
    archive: str | None,
    at: datetime | None,
    dry_run: bool,
    yes: bool,
) -> int:
    config = context.config()
    journal = open_journal(config.paths.journal)
    try:
        whole = find(config, app, journal, host=host, archive=archive, at=at)
    finally:
        journal.close()
    show_plan(config, whole, say)
    if dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if not agreed(say("Restore?"), say, yes=yes):
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
    wish = Wish(journal.app, Only(journal.only), journal.wanted)
    prepared = _prepare(config, wish, host=journal.host, archive=journal.run)
    click.echo(plan_text(prepared.plan, config, None, say))
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
