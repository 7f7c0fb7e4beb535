"""`coloc-agent archives`: what the backup hosts really hold, asked from them, with what the journal knows as proven."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from agent.cli import Context
from agent.sizes import size
from backup.hosts import hosts_named, open_repository
from backup.journal import Journal, open_journal
from backup.prune import sets_of
from backup.retention import ArchiveSet
from coloc.config import Config
from coloc.errors import ColocError
from coloc.times import for_people, iso


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
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def command(context: Context, app: str | None, hosts: Sequence[str], as_json: bool) -> int:
    """List sets, newest last. Returns 1 when a host could not be asked."""
    config = context.config()
    journal = open_journal(config.paths.journal)
    rows: list[Row] = []
    failures: list[str] = []
    for name in hosts_named(config, hosts):
        try:
            rows += rows_of(config, name, journal, app)
        except ColocError as error:
            failures.append(error.sentence())
    journal.close()
    rows.sort(key=lambda row: (row.set.app, row.at, row.host))
    if as_json:
        click.echo(json.dumps({"sets": [_as_data(row) for row in rows], "failures": failures}, indent=1))
    else:
        click.echo(table(rows, config.zone) if rows else "no archive")
        for sentence in failures:
            click.echo(f"! {sentence}", err=True)
    return int(bool(failures))


def rows_of(config: Config, host: str, journal: Journal, app: str | None) -> list[Row]:
    """The sets of one host. Raises ColocError."""
    archives = [archive.name for archive in open_repository(config, host).archives()]
    sizes = journal.sizes(host)
    sets = sets_of(config.coloc.name, archives, journal.proven(host))
    return [Row(host, each, sizes.get((each.app, each.run))) for each in sets if app in (None, each.app)]


def table(rows: Sequence[Row], zone: ZoneInfo) -> str:
    """For people: every time with its offset."""
    lines = [("app", "date", "host", "size", "proof", "run")]
    lines += [
        (
            row.set.app,
            for_people(row.at, zone),
            row.host,
            "-" if row.original_bytes is None else size(row.original_bytes),
            _proof(row.set),
            row.set.run,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _proof(each: ArchiveSet) -> str:
    if each.proven:
        return "read back"
    return "none" if each.complete else "UNFINISHED"


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
