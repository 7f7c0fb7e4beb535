"""`coloc-agent backup`: one run now, shown as it goes, with a table of what became of each app on each host."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from agent.cli import Context
from agent.colocation import read_colocation
from agent.commands.backup_pause import pause_command, resume_command
from agent.commands.backup_plan import command as plan_command
from agent.commands.backup_yunohost import before_upgrade_command, hooks_command, install_hooks
from agent.due import host_is_due
from agent.sizes import size
from agent.verbs import WithVerbs
from backup import ledger
from backup.hooks import undo_left
from backup.hosts import hosts_named
from backup.journal import Journal, open_journal
from backup.night import AppResult, NightResult, Step
from backup.nightly import run_night
from backup.run_lock import run_lock
from backup.stopping import stopped_by_signals
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import Translate, translator
from coloc.model import Colocation
from coloc.times import now_utc
from coloc.trusted import require_trusted_config

_SILENT_SECONDS = 10.0


@click.group(
    name="backup",
    cls=WithVerbs,
    no_args_is_help=False,
    help="Back up apps (all without a name) to the backup hosts, and read each one back.",
)
@click.argument("apps", nargs=-1, metavar="[APP]…")
@click.option("--host", "hosts", multiple=True, help="Only this backup host (may be given several times).")
@click.option("--dry-run", is_flag=True, help="Show what would be saved, and save nothing.")
@click.option("--nightly", is_flag=True, help="Quiet, and only the hosts whose night it is: what the daemon wakes.")
@click.option("--new-repository", metavar="HOST", help="Accept that this host has another repository than we knew.")
@click.option("--shrunk", metavar="APP", help="Accept that this app holds far less than at its last good backup.")
@click.option("--undo-hooks", is_flag=True, help="Only undo what a run that was killed did before backups.")
@click.pass_obj
def command(
    context: Context,
    *,
    apps: Sequence[str],
    hosts: Sequence[str],
    dry_run: bool,
    nightly: bool,
    new_repository: str | None,
    shrunk: str | None,
    undo_hooks: bool,
) -> int:
    """Run once. Returns 1 when anything failed."""
    config = context.config()
    require_trusted_config(config, context.config_path)
    if undo_hooks:
        return _undo_hooks(config)
    say = translator(config.coloc.language, "commands")
    colocation = read_colocation(config)
    journal = open_journal(config.paths.journal)
    if new_repository:
        hosts_named(config, [new_repository])
        if not dry_run:
            journal.forget_repository(new_repository)
            ledger.write(journal, ledger.Entry(new_repository, "anew", "", "", {}), now_utc())
    if shrunk:
        _require_app(shrunk, colocation)
        if not dry_run:
            journal.forget_contents(shrunk)
    if nightly and not hosts and not apps:
        hosts = _due(config, journal)
        if not hosts:
            click.echo(say("no backup host is due now"))
            journal.close()
            return 0
    logging.getLogger("backup").addHandler(logging.NullHandler())  # the table and its sentences say all of it
    if not dry_run:
        install_hooks(config, context.config_path)
    stop = threading.Event()
    screen = Screen(say, quiet=nightly or dry_run)
    with stopped_by_signals(stop), screen.awaiting(hosts_named(config, hosts)):
        night = run_night(
            config,
            colocation,
            apps=apps,
            hosts=hosts,
            spool=Spool(config.paths.facts),
            journal=journal,
            stop=stop,
            on_progress=screen.show,
            dry_run=dry_run,
            nightly=nightly,
            own=context.config_path,
        )
    journal.close()
    screen.clear()
    click.echo(plan_text(night, say) if dry_run else summary(night, say))
    if stop.is_set():
        return 130
    return int(bool(night.plan.failed)) if dry_run else int(not night.ok)


for verb in (plan_command, pause_command, resume_command, hooks_command, before_upgrade_command):
    command.add_command(verb)


def _undo_hooks(config: Config) -> int:
    with run_lock(config.paths.journal, "undoing hooks", now_utc()):
        problems = undo_left(config.paths.journal)
    for problem in problems:
        click.echo(f"! {problem}", err=True)
    return int(bool(problems))


def _require_app(app: str, colocation: Colocation) -> None:
    if app not in colocation.inventory.apps:
        raise ColocError(f"there is no app {app!r} here", hint="see `coloc-agent apps`")


def _due(config: Config, journal: Journal) -> list[str]:
    """The hosts whose night it is, by what root itself remembers: nothing is read from what the daemon writes."""
    now = now_utc()
    return [
        name
        for name, host in sorted(config.backup.hosts.items())
        if host_is_due(host, config.backup.at, (journal.last_night(name),), config.zone, now)
    ]


class Screen:
    """Progress: one line that is rewritten on a terminal, one line per finished app elsewhere."""

    def __init__(self, say: Translate, *, quiet: bool) -> None:
        self._say, self._quiet, self._terminal = say, quiet, sys.stderr.isatty()
        self._lock = threading.Lock()
        self._heard: set[str] = set()

    @contextmanager
    def awaiting(self, hosts: Sequence[str]) -> Iterator[None]:
        """During the block, name once the hosts that nothing was heard of for a while: most often a lock."""

        def tell() -> None:
            silent = [host for host in hosts if host not in self._heard]
            if silent and not self._quiet:
                text = self._say(
                    "… {hosts}: no answer yet, or locked by somebody else: waiting for a lock ends after 300 s"
                )
                with self._lock:
                    self._line(text.format(hosts=", ".join(silent)), end="\n")

        timer = threading.Timer(_SILENT_SECONDS, tell)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def show(self, step: Step) -> None:
        """One step of the run; called from several threads."""
        self._heard.add(step.host)
        if self._quiet:
            return
        with self._lock:
            if step.result:
                self._line(_outcome(step.result, self._say), end="\n")
            elif self._terminal:
                self._line(_moving(step, self._say), end="")

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self._terminal and not self._quiet:
            self._line("", end="")

    def _line(self, text: str, *, end: str) -> None:
        click.echo(f"\r\x1b[K{text}{end}" if self._terminal else f"{text}{end}", err=True, nl=False)


def _outcome(result: AppResult, say: Translate) -> str:
    if result.ok:
        new, seconds = size(result.stored_bytes), f"{result.duration_seconds:.1f}"
        told = say("saved and read back ({size}, {new} new, {seconds} s)")
        told = told.format(size=size(result.original_bytes), new=new, seconds=seconds)
    else:
        told = f"{say('FAILED')}: {result.failure}"
    return f"{result.app} → {result.host}: {told}"


def _moving(step: Step, say: Translate) -> str:
    told = ""
    if step.progress:
        path = "".join(letter if letter.isprintable() else "?" for letter in step.progress.path)
        told = f" {size(step.progress.done_bytes)} {path}"
    return f"{step.app or say('all')} → {step.host}: {say(step.what)}{told}"[:100]


def plan_text(night: NightResult, say: Translate) -> str:
    """What a run would do."""
    hosts = ", ".join(host.host for host in night.hosts)
    lines = [say("Simulation: nothing is saved. Hosts: {hosts}").format(hosts=hosts)]
    words = [say(word) for word in ("folder", "settings", "database", "left out")]
    folder, settings, database, left_out = (word.ljust(max(map(len, words))) for word in words)
    for plan in night.plan.apps:
        lines.append(f"\n{plan.app.id}")
        lines += [f"  {folder}  {each.path}{_really(each.path, each.resolved, say)}" for each in plan.folders]
        lines += [f"  {settings}  /{path}" for path in plan.extra_paths]
        lines += [f"  {database}  {each.database.kind} {each.database.name}" for each in plan.databases]
        lines += [f"  {left_out}  {word}" for word in plan.excluded]
    lines += [f"\n{each.app}: {say('skipped')}, {each.why}" for each in night.plan.skipped]
    lines += [f"\n{each.app}: {say('CANNOT BE SAVED')}: {each.why}" for each in night.plan.failed]
    return "\n".join(lines)


def _really(path: str, resolved: str, say: Translate) -> str:
    return "" if path == resolved else f" ({say('really')} {resolved})"


def summary(night: NightResult, say: Translate) -> str:
    """The table of apps and hosts, then each failure in a sentence."""
    hosts, lost = [host.host for host in night.hosts], say("FAILED")
    cells = {(result.app, result.host): size(result.original_bytes) if result.ok else lost for result in night.results}
    names = sorted({result.app for result in night.results} | {each.app for each in night.plan.failed})
    failed = {each.app for each in night.plan.failed}
    rows = [[say("app"), *hosts]]
    rows += [[app, *(lost if app in failed else cells.get((app, host), "-") for host in hosts)] for app in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    sentences = [each.why for each in night.plan.failed] + [each.failure for each in night.results if each.failure]
    sentences += [host.why for host in night.hosts if host.why] + list(night.problems)
    lines += [f"! {sentence}" for sentence in dict.fromkeys(sentences)]
    lines += [f"({each.app} {say('skipped')}: {each.why})" for each in night.plan.skipped]
    return "\n".join(lines)
