"""`coloc-agent drill`: prove archives by bringing them back into scratch places; the rotation, or named apps now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import click

from agent.cli import Context
from agent.colocation import read_colocation
from agent.commands.backup import Screen
from agent.due import last_start, nightly_is_due
from agent.page.figures import percent
from agent.sizes import size
from backup.drill_journal import DrillJournal, open_drill_journal
from backup.drills import Drilled, DrillNight, DrillRun, clear_leftovers
from backup.journal import open_journal
from backup.night import Step
from backup.run_lock import run_lock
from backup.stopping import stopped_by_signals
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.language import Translate, translator
from coloc.times import for_people, now_utc
from coloc.trusted import require_trusted_config

_ROTATION = "rotation"


@click.command(
    name="drill",
    help="Prove archives: bring them back into scratch places and compare. Without a name: those whose turn it is.",
)
@click.argument("apps", nargs=-1, metavar="[APP]…")
@click.option("--host", "hosts", multiple=True, help="Only this backup host (may be given several times).")
@click.option("--dry-run", is_flag=True, help="Show what would be proven, and what it reads; prove nothing.")
@click.option(
    "--nightly", is_flag=True, help="Quiet, and only when the hour of backup.drill.at has come: for the timer."
)
@click.option("--tidy", is_flag=True, help="Only remove what a drill that was killed left behind.")
@click.pass_obj
def command(
    context: Context, *, apps: Sequence[str], hosts: Sequence[str], dry_run: bool, nightly: bool, tidy: bool
) -> int:
    """Returns 1 when something was not proven."""
    config = context.config()
    require_trusted_config(config, context.config_path)
    journal = open_drill_journal(config.paths.journal)
    try:
        if tidy:
            with run_lock(config.paths.journal, "removing what a drill left", now_utc()):
                clear_leftovers(config, journal)
            return 0
        if nightly and not _is_due(config, journal):
            return 0
        return _drill(config, journal, apps, hosts, dry_run=dry_run, nightly=nightly)
    finally:
        journal.close()


def _drill(
    config: Config, journal: DrillJournal, apps: Sequence[str], hosts: Sequence[str], *, dry_run: bool, nightly: bool
) -> int:
    here = frozenset(read_colocation(config).inventory.apps)
    say = translator(config.coloc.language, "commands")
    logging.getLogger("backup").addHandler(logging.NullHandler())  # what is printed says all of it
    stop, screen = threading.Event(), Screen(say, quiet=nightly)
    backups = open_journal(config.paths.journal)
    run = DrillRun(
        config,
        backups,
        journal,
        Spool(config.paths.facts),
        here,
        apps,
        hosts,
        stop,
        lambda host, app, what: screen.show(Step(host, app, what)),
    )
    try:
        if dry_run:
            click.echo(plan_text(run.plan()[0], config, journal, say))
            return 0
        with stopped_by_signals(stop), run_lock(config.paths.journal, "drill", now_utc()):
            if nightly:
                journal.remember_run(_ROTATION, now_utc())
            night = run.go()
    finally:
        backups.close()
    screen.clear()
    click.echo(summary(night, say))
    return 130 if stop.is_set() else int(not night.ok)


def _is_due(config: Config, journal: DrillJournal) -> bool:
    if config.backup.drill.off or not config.backup.hosts or not config.reaches("backup"):
        return False
    now = now_utc()
    return nightly_is_due(last_start([journal.last_run(_ROTATION)], now), config.backup.drill.at, config.zone, now)


def plan_text(night: DrillNight, config: Config, journal: DrillJournal, say: Translate) -> str:
    """What would be done, and what it reads from each host."""
    lines = [say("Simulation: nothing is proven.")]
    for turn in night.turns:
        pair = turn.pair
        since = say("never proven by a drill")
        if pair.whole_at:
            since = say("last proven whole {when}").format(when=for_people(pair.whole_at, config.zone))
        part = say("whole") if turn.whole else say("a part, {percent}").format(percent=percent(turn.bytes / pair.bytes))
        where = say("{app} on {host}").format(app=pair.app, host=pair.host)
        lines.append(f"  {where}: {part}, {size(turn.bytes)} ({since})")
    month = f"{now_utc():%Y-%m}"
    for host in sorted(config.backup.hosts):
        if read := journal.downloaded(host, month):
            told = say("read from {host} in {month} so far: {size}")
            lines.append("  " + told.format(host=host, month=month, size=size(read)))
    lines += [] if night.turns else ["  " + say("no drill is due")]
    return "\n".join([*lines, *(f"! {problem}" for problem in night.problems)])


def summary(night: DrillNight, say: Translate) -> str:
    """One line for each drill, then what went wrong."""
    lines = [_line(each, say) for each in night.done]
    if not lines and not night.problems:
        lines = [say("no drill is due")]
    return "\n".join([*lines, *(f"! {problem}" for problem in night.problems)])


def _line(drilled: Drilled, say: Translate) -> str:
    where = say("{app} on {host}").format(app=drilled.app, host=drilled.host)
    proof = drilled.proof
    if proof is None:
        return f"{where}: " + say("NOT PROVEN: {why}").format(why=drilled.failure)
    what = say("proven whole") if proof.whole else say("a part proven, {percent}").format(percent=percent(proof.ratio))
    told = say("{files} files, {samples} samples, {databases} databases, {rows} rows, {seconds} s").format(
        files=proof.files.files,
        samples=proof.files.samples,
        databases=proof.databases,
        rows=proof.rows,
        seconds=f"{drilled.seconds:.1f}",
    )
    return f"{where}: {what} ({size(proof.bytes)}, {told}){''.join(f'; {note}' for note in proof.notes)}"
