"""`coloc-agent restore --in-place`: says plainly that there is no way back, has the name typed, and does it."""

from __future__ import annotations

import sys
from functools import partial

import click

from agent.asking import show_step
from agent.colocation import read_colocation
from agent.restore_text import end_text
from backup.restore import Restoring
from backup.restore_in_place import InPlace
from backup.restore_journal import RestoreJournal
from backup.restore_prepare import Prepared
from backup.restore_signals import interrupted_by_term
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import Translate


def do_in_place(config: Config, prepared: Prepared, say: Translate, *, confirm: str) -> int:
    """Begin. 1: another name was typed."""
    app = prepared.plan.wish.app
    click.echo(say("NO WAY BACK: what is there is written over, file by file; nothing of it is kept"))
    click.echo(say("if it is cut off, {app} stays stopped until --resume has finished it").format(app=app))
    if not confirm and not sys.stdin.isatty():
        raise ColocError(say("nobody is here to ask"), hint=f"add --confirm {app}")
    if (confirm or click.prompt(say("Type the name of the app"))) != app:
        click.echo(say("that is another name: nothing was changed"), err=True)
        return 1
    with interrupted_by_term():
        restored = InPlace(_restoring(config, prepared, say)).go()
    click.echo(end_text(prepared.plan, restored, say, way_back=False))
    return 0


def go_on_in_place(config: Config, prepared: Prepared, journal: RestoreJournal, say: Translate) -> int:
    """After it was cut off."""
    with interrupted_by_term():
        restored = InPlace(_restoring(config, prepared, say)).go_on(journal)
    click.echo(end_text(prepared.plan, restored, say, way_back=False))
    return 0


def _restoring(config: Config, prepared: Prepared, say: Translate) -> Restoring:
    app = read_colocation(config).inventory.apps.get(prepared.plan.wish.app)
    return Restoring(config, app, prepared, Spool(config.paths.facts), on_step=partial(show_step, say))
