"""`coloc-agent restore`: shows what it would do, asks, and brings an app back; `--undo` is the way back."""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from agent.cli import Context
from agent.colocation import read_colocation
from agent.commands.restore_yunohost import find, restore_through_yunohost, show_plan
from agent.sizes import size
from backup.journal import open_journal
from backup.restore import Restored, Restoring, last_restore, refuse_unfinished, undo_restore
from backup.restore_elsewhere import require_empty, restore_to
from backup.restore_plan import Only, RestorePlan, Wish, refuse_when_full
from backup.restore_prepare import prepare
from backup.restore_signals import interrupted_by_term
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import Translate, translator
from coloc.times import for_people


@click.command(name="restore", help="Bring an app back from an archive: the newest proven one, unless told otherwise.")
@click.argument("app")
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
@click.option("--undo", is_flag=True, help="Take the last restore of this app back (also one that was cut off).")
@click.pass_obj
def command(
    context: Context,
    *,
    app: str,
    host: str | None,
    archive: str | None,
    at: str | None,
    only: str | None,
    path: str,
    elsewhere: Path | None,
    yunohost: bool,
    dry_run: bool,
    yes: bool,
    undo: bool,
) -> int:
    """Returns 0 when it is done, 1 when the person said no."""
    logging.getLogger("backup").addHandler(logging.NullHandler())  # what it logs is said at the end as well
    config = context.config()
    say = translator(config.coloc.language, "commands")
    if undo:
        return _undo(config, app, say, dry_run=dry_run, yes=yes)
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
    found = read_colocation(config).inventory.apps.get(app)
    wish = Wish(app, Only(only) if only else Only.ALL, path)
    journal = open_journal(config.paths.journal)
    try:
        hosts, moment = [host] if host else [], parse_at(at, config) if at else None
        prepared = prepare(config, found, wish, journal, hosts=hosts, archive=archive, at=moment, elsewhere=elsewhere)
    finally:
        journal.close()
    click.echo(plan_text(prepared.plan, config, elsewhere, say))
    refuse_when_full(prepared.plan.spaces)
    if dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if not elsewhere and not _agreed(say("Restore?"), say, yes=yes):
        return 1
    show = partial(_show, say)
    with interrupted_by_term():
        if elsewhere:
            restore_to(prepared, elsewhere, numeric_ids=config.root != Path("/"), on_step=show)
            click.echo(say("{app} is in {folder}; the app itself was not touched").format(app=app, folder=elsewhere))
            return 0
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
    if not _agreed(say("Restore?"), say, yes=yes):
        return 1
    with interrupted_by_term():
        safety = restore_through_yunohost(config, whole, partial(_show, say), context.config_path)
    click.echo(say("{app} was restored by YunoHost").format(app=app))
    if safety:
        way = say("the way back: coloc-agent restore {app} --yunohost --archive {archive}")
        click.echo("  " + way.format(app=app, archive=safety))
    return 0


def parse_at(text: str, config: Config) -> datetime:
    """A time that a person wrote: in the colocation's zone unless it has an offset; a day alone means its end."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ColocError(f"{text!r} is no time", hint="write 2026-11-23 or 2026-11-23T04:00") from error
    if len(text) == len("2026-11-23"):
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment if moment.tzinfo else moment.replace(tzinfo=config.zone)


def plan_text(plan: RestorePlan, config: Config, elsewhere: Path | None, say: Translate) -> str:
    """What would be done, for people."""
    chosen = plan.candidate
    proof = say("read back") if chosen.set.proven else say("NOT PROVEN")
    when = for_people(chosen.set.at, config.zone)
    first = say("{app}: run {run} of {when}, {host}, {proof}")
    lines = [first.format(app=plan.wish.app, run=chosen.set.run, when=when, host=chosen.host, proof=proof)]
    if elsewhere:
        whole = setting = say("goes to {folder}").format(folder=elsewhere)
        database = say("dump goes to {folder}").format(folder=elsewhere)
    else:
        whole, setting = say("is replaced"), say("is replaced if it differs")
        database = say("database is replaced")
    lines += [f"  {whole}: /{target.path}" for target in plan.targets if not target.is_setting]
    lines += [f"  {setting}: /{target.path}" for target in plan.targets if target.is_setting]
    for each in plan.databases:
        rows = say("{number} rows").format(number=sum(each.tables.values()))
        lines.append(f"  {database}: {each.kind} {each.name} ({rows}, {size(each.bytes)})")
    if plan.units and not elsewhere:
        lines.append(f"  {say('stop meanwhile, if they run')}: {', '.join(plan.units)}")
    room = say("room in {folder}: {needed} of {free} free")
    lines += [
        "  " + room.format(folder=each.folder, needed=size(each.needed_bytes), free=size(each.free_bytes))
        for each in plan.spaces
    ]
    lines += [f"  {say('note')}: {note}" for note in plan.notes]
    lines += [f"  {say('not in the archive')}: {word}" for word in plan.manifest.excluded]
    return "\n".join(lines)


def end_text(app: str, restored: Restored, say: Translate) -> str:
    """What was done, and where what was replaced lies."""
    lines = [say("{app} is restored ({seconds} s)").format(app=app, seconds=f"{restored.seconds:.0f}")]
    lines += [f"  {say('what was replaced is kept in')} {folder}" for folder in restored.kept]
    lines += [f"  {say('the replaced database is kept as')} {name}" for name in restored.databases]
    lines += [f"  {say('setting replaced')}: /{member}" for member in restored.settings]
    if any("nginx" in member or "php" in member for member in restored.settings):
        lines.append("  " + say("reload the web server for it: systemctl reload nginx, and php-fpm"))
    if restored.stripped:
        lines.append("  " + say("{number} files of root are not setuid any more").format(number=restored.stripped))
    if restored.problem:
        told = say("it is done, but the agent does not hear of it: {why}; free some space there")
        lines.append("  " + told.format(why=restored.problem))
    return "\n".join([*lines, f"  {say('the way back')}: coloc-agent restore {app} --undo"])


def _undo(config: Config, app: str, say: Translate, *, dry_run: bool, yes: bool) -> int:
    journal = last_restore(config, app)
    cut = say("cut off") if journal.state == "running" else say("done")
    told = say("{app}: the restore {id} (run {run}, from {host}, {cut}) is taken back")
    click.echo(told.format(app=app, id=journal.id, run=journal.run, host=journal.host, cut=cut))
    click.echo("  " + say("what the app wrote since then is lost with it"))
    if dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if not _agreed(say("Take it back?"), say, yes=yes):
        return 1
    undo_restore(config, journal)
    click.echo(say("{app} is as it was before").format(app=app))
    return 0


def _agreed(question: str, say: Translate, *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ColocError(say("nobody is here to ask"), hint=say("look at the plan above and add --yes"))
    return click.confirm(question)


def _show(say: Translate, step: str) -> None:
    """One step: a word of ours, then what it concerns."""
    word, space, rest = step.partition(" ")
    click.echo(f"  … {say(word)}{space}{rest}", err=True)
