"""`coloc-agent restore`: shows what it would do, asks, and brings an app back; `--undo` is the way back."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from agent.cli import Context
from agent.colocation import read_colocation
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
    dry_run: bool,
    yes: bool,
    undo: bool,
) -> int:
    """Returns 0 when it is done, 1 when the person said no."""
    config = context.config()
    if undo:
        return _undo(config, app, dry_run=dry_run, yes=yes)
    if path and only:
        raise click.UsageError("--path is of files already: leave --only out")
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
    click.echo(plan_text(prepared.plan, config, elsewhere))
    refuse_when_full(prepared.plan.spaces)
    if dry_run:
        click.echo("simulation: nothing was changed")
        return 0
    if not elsewhere and not _agreed("Restore?", yes=yes):
        return 1
    with interrupted_by_term():
        if elsewhere:
            restore_to(prepared, elsewhere, numeric_ids=config.root != Path("/"), on_step=_show)
            click.echo(f"{app} is in {elsewhere}; the app itself was not touched")
            return 0
        restored = Restoring(config, found, prepared, Spool(config.paths.facts), on_step=_show).go()
    click.echo(end_text(app, restored))
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


def plan_text(plan: RestorePlan, config: Config, elsewhere: Path | None) -> str:
    """What would be done, for people."""
    chosen = plan.candidate
    proof = "read back" if chosen.set.proven else "NOT PROVEN"
    lines = [
        f"{plan.wish.app}: run {chosen.set.run} of {for_people(chosen.set.at, config.zone)}, {chosen.host}, {proof}"
    ]
    verb = f"goes to {elsewhere}" if elsewhere else "is replaced"
    lines += [f"  {verb}: /{target.member}" for target in plan.targets if not target.is_setting]
    verb = f"goes to {elsewhere}" if elsewhere else "is replaced if it differs"
    lines += [f"  {verb}: /{target.member}" for target in plan.targets if target.is_setting]
    verb = f"dump goes to {elsewhere}" if elsewhere else "database is replaced"
    for database in plan.databases:
        rows = sum(database.tables.values())
        lines.append(f"  {verb}: {database.kind} {database.name} ({rows} rows, {size(database.bytes)})")
    if plan.units and not elsewhere:
        lines.append(f"  stop meanwhile, if they run: {', '.join(plan.units)}")
    lines += [
        f"  room in {room.folder}: {size(room.needed_bytes)} of {size(room.free_bytes)} free" for room in plan.spaces
    ]
    lines += [f"  note: {note}" for note in plan.notes]
    lines += [f"  not in the archive: {word}" for word in plan.manifest.excluded]
    return "\n".join(lines)


def end_text(app: str, restored: Restored) -> str:
    """What was done, and where what was replaced lies."""
    lines = [f"{app} is restored ({restored.seconds:.0f} s)"]
    lines += [f"  what was replaced is kept in {folder}" for folder in restored.kept]
    lines += [f"  the replaced database is kept as {name}" for name in restored.databases]
    lines += [f"  setting replaced: /{member}" for member in restored.settings]
    if any("nginx" in member or "php" in member for member in restored.settings):
        lines.append("  reload the web server for it: systemctl reload nginx, and php-fpm")
    if restored.stripped:
        lines.append(f"  {restored.stripped} files of root are not setuid any more")
    if restored.problem:
        lines.append(f"  it is done, but the agent does not hear of it: {restored.problem}; free some space there")
    return "\n".join([*lines, f"  the way back: coloc-agent restore {app} --undo"])


def _undo(config: Config, app: str, *, dry_run: bool, yes: bool) -> int:
    journal = last_restore(config, app)
    cut = "cut off" if journal.state == "running" else "done"
    click.echo(f"{app}: the restore {journal.id} (run {journal.run}, from {journal.host}, {cut}) is taken back")
    click.echo("  what the app wrote since then is lost with it")
    if dry_run:
        return 0
    if not _agreed("Take it back?", yes=yes):
        return 1
    undo_restore(config, journal)
    click.echo(f"{app} is as it was before")
    return 0


def _agreed(question: str, *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ColocError("nobody is here to ask", hint="look at the plan above and add --yes")
    return click.confirm(question)


def _show(step: str) -> None:
    click.echo(f"  … {step}", err=True)
