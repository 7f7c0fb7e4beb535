"""`coloc-agent backup pause 2h` and `resume`: the nightly run rests before its next app, and goes on by itself."""

from __future__ import annotations

from datetime import timedelta

import click

from agent.cli import Context
from backup.pause import pause_until, resume
from coloc.config.values import parse_seconds
from coloc.errors import ColocError
from coloc.language import translator
from coloc.times import for_people, now_utc

_DAY = 24 * 3600.0


@click.command(name="pause", help="Let the nightly run rest after the app at work, for so long: 2h, 30m.")
@click.argument("span", metavar="SPAN")
@click.pass_obj
def pause_command(context: Context, span: str) -> int:
    """Returns 0."""
    config = context.config()
    try:
        seconds = parse_seconds(span)
    except ValueError as error:
        raise ColocError(f"{span!r}: {error}", hint="for example: coloc-agent backup pause 2h") from error
    if not 0 < seconds <= _DAY:
        raise ColocError("a pause lasts a day at most", hint="for example: coloc-agent backup pause 2h")
    end = now_utc() + timedelta(seconds=seconds)
    pause_until(config.paths.journal, end)
    say = translator(config.coloc.language, "commands")
    when = for_people(end, config.zone)
    told = say("The nightly run rests after the app at work, until {when}; before that: coloc-agent backup resume")
    click.echo(told.format(when=when))
    return 0


@click.command(name="resume", help="End a pause of the nightly run.")
@click.pass_obj
def resume_command(context: Context) -> int:
    """Returns 0, also when there was no pause."""
    config = context.config()
    say = translator(config.coloc.language, "commands")
    there = resume(config.paths.journal)
    click.echo(say("The nightly run goes on") if there else say("There was no pause"))
    return 0
