"""`coloc-agent restore undo`, `--resume` and `--tidy`: the ways on from a restore that is over, or that was cut off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click

from agent.asking import agreed, show_step
from backup.restore_finish import may_finish
from backup.restore_journal import RestoreJournal
from backup.restore_signals import interrupted_by_term
from backup.restore_undo import has_no_way_back
from backup.restore_unfinished import (
    finish_restore,
    last_restore,
    over,
    remove_replaced,
    undo_restore,
    unfinished_restore,
)
from coloc.config.whole import Config
from coloc.language import Translate
from coloc.times import for_people, now_utc, parse_iso

Again = Callable[[RestoreJournal], int]


def undo(config: Config, app: str, say: Translate, *, dry_run: bool, yes: bool) -> int:
    """Take the last restore back. 1: the person said no."""
    journal = last_restore(config, app)
    cut = say("cut off") if journal.is_unfinished else say("done")
    told = say("{app}: the restore {id} (run {run}, from {host}, {cut}) is taken back")
    click.echo(told.format(app=journal.app, id=journal.id, run=journal.run, host=journal.host, cut=cut))
    click.echo("  " + say("what the app wrote since then is lost with it"))
    if dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if not agreed(say("Take it back?"), say, yes=yes):
        return 1
    undo_restore(config, journal)
    click.echo(say("{app} is as it was before").format(app=journal.app))
    return 0


def resume(config: Config, app: str, say: Translate, again: Again, *, dry_run: bool, yes: bool) -> int:
    """Finish the restore that was cut off: its end alone, or, when it was not that far, all of it from the same run."""
    journal = unfinished_restore(config, app)
    back = journal.state in {"undoing", "copying"}
    if back:
        told = say("{app}: taking the restore {id} (run {run}, from {host}) back is ended")
    elif has_no_way_back(journal):
        told = say("{app}: the restore {id} (run {run}, from {host}) goes on in place")
    elif may_finish(journal):
        told = say("{app}: the restore {id} (run {run}, from {host}) is ended")
    else:
        told = say("{app}: the restore {id} (run {run}, from {host}) is taken back and done again")
    click.echo(told.format(app=journal.app, id=journal.id, run=journal.run, host=journal.host))
    if dry_run:
        click.echo(say("Simulation: nothing was changed"))
        return 0
    if not agreed(say("Go on?"), say, yes=yes):
        return 1
    with interrupted_by_term():
        kept = finish_restore(config, journal, on_step=partial(show_step, say))
    if back:
        click.echo(say("{app} is as it was before").format(app=journal.app))
        return 0
    if kept is None:
        return again(journal)
    way_back = say("the way back")
    click.echo(say("{app} is restored").format(app=journal.app))
    click.echo(f"  {way_back}: coloc-agent restore undo {journal.app}")
    return 0


def tidy(config: Config, say: Translate, *, dry_run: bool) -> int:
    """Remove what restores replaced and whose days are over."""
    now = now_utc()
    told = say("{app}: what the restore of {when} replaced is removed")
    for journal in list(over(config, now)):
        when = for_people(parse_iso(journal.ended_at or journal.began_at), config.zone)
        told = say("{app}: what the restore {id} of {when} replaced is removed")
        click.echo(told.format(app=journal.app, id=journal.id, when=when))
        if not dry_run:
            for name in remove_replaced(config, journal, now=now):
                click.echo(f"  {say('removed')}: {name}")
    return 0
