"""A list to choose from: `coloc-agent restore` on a terminal, not told which archive or which app."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from agent.sizes import size
from agent.terminal import harmless
from backup.journal import Journal
from backup.restore_plan import Candidate, choose
from backup.restore_prepare import find_candidates
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.language import Translate
from coloc.times import for_people

MOST = 20
Ask = Callable[[str, int, int], int]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose."""

    app: str
    host: str
    run: str


def on_terminal() -> bool:
    """True when a person can read a list and answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def choose_app(config: Config, journal: Journal, say: Translate, *, hosts: Sequence[str], ask: Ask) -> str:
    """Which app, of those that the hosts hold. Raises ColocError when they hold none."""
    apps = sorted({each.set.app for each in _candidates(config, journal, hosts, "")})
    if not apps:
        raise ColocError("the backup hosts hold no archive", hint="see `coloc-agent archives`")
    for number, app in enumerate(apps, start=1):
        click.echo(f"  {number:>3}  {harmless(app)}")
    return apps[ask(say("Which app?"), 1, len(apps)) - 1]


def choose_set(
    config: Config, journal: Journal, app: str, say: Translate, *, hosts: Sequence[str], now: datetime, ask: Ask
) -> Choice:
    """Which set of an app: the newest ones, the one that is taken without a word first. Raises ColocError."""
    found = [each for each in _candidates(config, journal, hosts, app) if each.set.complete]
    first = choose(found, app, now=now)
    found.sort(key=lambda each: each.set.at, reverse=True)
    shown = [first, *(each for each in found if each != first)][:MOST]
    for line in lines(shown, journal, config, say):
        click.echo(line)
    if len(found) > MOST:
        told = say("and {number} older ones: coloc-agent archives {app}, then --archive")
        click.echo("       " + told.format(number=len(found) - MOST, app=app))
    chosen = shown[ask(say("Which one?"), 1, len(shown)) - 1]
    return Choice(app, chosen.host, chosen.set.run)


def lines(shown: Sequence[Candidate], journal: Journal, config: Config, say: Translate) -> list[str]:
    """One line a set: number, moment, host, size, proof."""
    sizes = {host: journal.sizes(host) for host in {each.host for each in shown}}
    return [
        f"  {number:>3}  {for_people(each.set.at, config.zone)}  {each.host}  "
        f"{_size(sizes[each.host].get((each.set.app, each.set.run)))}  "
        f"{say('read back') if each.set.proven else say('NOT PROVEN')}"
        for number, each in enumerate(shown, start=1)
    ]


def ask_number(question: str, least: int, most: int) -> int:
    """A number from the terminal; Enter takes the first."""
    answer: int = click.prompt(question, type=click.IntRange(least, most), default=least)
    return answer


def _candidates(config: Config, journal: Journal, hosts: Sequence[str], app: str) -> list[Candidate]:
    found, problems = find_candidates(config, app, journal, hosts=hosts)
    for problem in problems:
        click.echo(f"! {problem}", err=True)
    return found


def _size(number: int | None) -> str:
    return "-" if number is None else size(number)
