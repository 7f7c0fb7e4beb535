"""`coloc-agent archives`: what the backup hosts really hold, asked from them, with what the journal knows as proven."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from agent.archive_contents import Looking, show_diff, show_files
from agent.cli import Context
from agent.colocation import read_colocation
from agent.sizes import size
from agent.terminal import harmless
from backup.hosts import hosts_named, open_known, open_repository, who_locks
from backup.journal import Journal, open_journal
from backup.prune import sets_of
from backup.restore_borrowed import borrowed
from backup.retention import ArchiveSet
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.language import Translate, translator
from coloc.times import for_people, iso

LOCK_WAIT = 30  # seconds: somebody looks at the screen
_LONG_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """One set of archives on one host."""

    host: str
    set: ArchiveSet
    original_bytes: int | None

    @property
    def at(self) -> datetime:
        """When its run began."""
        return self.set.at


@click.command(name="archives", help="The archives of the backup hosts: of all apps, or of one.")
@click.argument("app", required=False)
@click.option("--host", "hosts", multiple=True, help="Only this backup host.")
@click.option("--coloc", metavar="NAME", default="", help="The archives of another colocation in the same places.")
@click.option("--files", "pattern", is_flag=False, flag_value="*", metavar="[PATTERN]", help="Look inside: its files.")
@click.option("--archive", metavar="A", help="With --files: this archive or run; else the newest proven one.")
@click.option("--diff", nargs=2, metavar="A B", help="What changed from one archive or run to another.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def command(
    context: Context,
    *,
    app: str | None,
    hosts: Sequence[str],
    coloc: str,
    pattern: str | None,
    archive: str | None,
    diff: tuple[str, str] | None,
    as_json: bool,
) -> int:
    """List sets, newest last. Returns 1 when a host could not be asked, or when there is no such app."""
    config = borrowed(context.config(), coloc=coloc)
    say = translator(config.coloc.language, "commands")
    if (pattern or diff) and not app:
        raise click.UsageError("name the app to look into")
    journal = open_journal(config.paths.journal)
    if app and pattern:
        return show_files(Looking(config, journal, app, say), pattern, hosts=hosts, archive=archive, as_json=as_json)
    if app and diff:
        return show_diff(Looking(config, journal, app, say), diff, hosts=hosts, as_json=as_json)
    rows: list[Row] = []
    failures: list[str] = []
    for name in hosts_named(config, hosts):
        try:
            with _said_when_long(config, name, say):
                rows += rows_of(config, name, journal, app)
        except ColocError as error:
            failures.append(error.sentence())
    journal.close()
    if app and not rows and not failures and app not in read_colocation(config).inventory.apps:
        raise ColocError(f"there is no app {app!r} here, and no archive of it", hint="see `coloc-agent apps`")
    rows.sort(key=lambda row: (row.set.app, row.at, row.host))
    if as_json:
        click.echo(json.dumps({"sets": [_as_data(row) for row in rows], "failures": failures}, indent=1))
    else:
        if rows or not failures:  # a host that was not asked may hold some
            click.echo(table(rows, config.zone, say) if rows else say("no archive"))
        for sentence in failures:
            click.echo(f"! {sentence}", err=True)
    return int(bool(failures))


def rows_of(config: Config, host: str, journal: Journal, app: str | None) -> list[Row]:
    """The sets of one host. Raises ColocError."""
    repository = open_repository(config, host, lock_wait=LOCK_WAIT)
    archives = [archive.name for archive in open_known(repository, journal).archives]
    sizes = journal.sizes(host)
    sets = sets_of(config.coloc.name, archives, journal.proven(host))
    return [Row(host, each, sizes.get((each.app, each.run))) for each in sets if app in (None, each.app)]


@contextmanager
def _said_when_long(config: Config, host: str, say: Translate) -> Iterator[None]:
    """After a few seconds say on stderr what is waited for: a lock, most often."""

    def tell() -> None:
        if holder := who_locks(config, host):
            text = say("… waiting for {host}: it is locked: {holder} (at most {seconds} s for a lock)")
        else:
            text = say("… waiting for {host}: it does not answer yet (at most {seconds} s for a lock)")
        click.echo(text.format(host=host, holder=harmless(holder, at_most=300), seconds=LOCK_WAIT), err=True)

    timer = threading.Timer(_LONG_SECONDS, tell)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def table(rows: Sequence[Row], zone: ZoneInfo, say: Translate) -> str:
    """For people: every time with its offset."""
    lines = [(say("app"), say("date"), say("host"), say("size"), say("proof"), say("run"))]
    lines += [
        (
            row.set.app,
            for_people(row.at, zone),
            row.host,
            "-" if row.original_bytes is None else size(row.original_bytes),
            _proof(row.set, say),
            row.set.run,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _proof(each: ArchiveSet, say: Translate) -> str:
    if each.proven:
        return say("read back")
    return say("none") if each.complete else say("UNFINISHED")


def _as_data(row: Row) -> dict[str, object]:
    return {
        "app": row.set.app,
        "run": row.set.run,
        "at": iso(row.at),
        "host": row.host,
        "archives": list(row.set.archives),
        "complete": row.set.complete,
        "proven": row.set.proven,
        "original_bytes": row.original_bytes,
    }
