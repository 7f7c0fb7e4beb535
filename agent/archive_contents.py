"""`coloc-agent archives APP --files` and `--diff`: what an archive holds, and what changed between two of them."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from agent.sizes import size
from agent.terminal import harmless
from backup.borg import Repository
from backup.borg_output import Item
from backup.hosts import hosts_named, open_repository
from backup.journal import Journal
from backup.manifest import MANIFEST, Manifest
from backup.restore_plan import Candidate, choose, files_archive_of
from backup.restore_prepare import candidates_of, find_candidates, read_manifest
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.language import Translate
from coloc.times import for_people, now_utc


@dataclass(frozen=True, slots=True)
class Looking:
    """Who looks into which app's archives."""

    config: Config
    journal: Journal
    app: str
    say: Translate


@dataclass(frozen=True, slots=True)
class Inside:
    """One set on one host, open to be looked into."""

    chosen: Candidate
    repository: Repository
    files_archive: str
    manifest: Manifest


def show_files(looking: Looking, pattern: str, *, hosts: Sequence[str], archive: str | None, as_json: bool) -> int:
    """List files and databases of a set. 1 when the pattern matches nothing."""
    say, inside = looking.say, _open(looking, hosts, archive)
    chosen = inside.chosen
    if not as_json:
        when = for_people(chosen.set.at, looking.config.zone)
        told = say("{app}: run {run} of {when}, {host}")
        click.echo(told.format(app=looking.app, run=chosen.set.run, when=when, host=chosen.host))
        for each in inside.manifest.databases:
            rows = say("{number} rows").format(number=sum(each.tables.values()))
            click.echo(f"{say('database')}  {each.kind} {harmless(each.name)}  {rows}, {size(each.bytes)}")
    count = 0
    for item in inside.repository.items(inside.files_archive):
        if item.path != MANIFEST and matches(item.path, pattern):
            count += 1
            click.echo(json.dumps(_as_data(item)) if as_json else _line(item))
    if not count:
        click.echo(say("nothing in this archive matches {pattern}").format(pattern=harmless(pattern)), err=True)
    return int(not count)


def matches(path: str, pattern: str) -> bool:
    """A pattern of the shell on the whole path; one without / on the name alone; a plain folder means all below it."""
    wanted = pattern.strip("/")
    if "/" not in pattern:
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
    return fnmatch.fnmatchcase(path, wanted) or path.startswith(f"{wanted}/")


def show_diff(looking: Looking, runs: tuple[str, str], *, hosts: Sequence[str], as_json: bool) -> int:
    """What changed from the first to the second of two runs on the same host: rows of tables, then files."""
    say, (repository, before, after) = looking.say, _both(looking, runs, hosts=hosts)
    changes = repository.diff(before.files_archive, after.files_archive)
    shown = [change for change in changes if change.path != MANIFEST]
    if as_json:
        rows = [list(row) for row in row_changes(before.manifest, after.manifest)]
        files = [{"path": each.path, "what": each.what, "bytes": each.bytes} for each in shown]
        click.echo(json.dumps({"host": repository.host, "rows": rows, "files": files}, indent=1))
        return 0
    first = say("{app} on {host}: from {one} to {other}")
    one, other = before.chosen.set.run, after.chosen.set.run
    click.echo(first.format(app=looking.app, host=repository.host, one=one, other=other))
    for database, table, was, now in row_changes(before.manifest, after.manifest):
        click.echo(f"{say('rows'):<9} {harmless(database)} {harmless(table)}: {_rows(was)} → {_rows(now)}")
    words = {"added": say("added"), "removed": say("removed"), "changed": say("changed")}
    for change in shown:
        told = f"  ({size(change.bytes)})" if change.bytes else ""
        click.echo(f"{words.get(change.what, change.what):<9} /{_path(change.path)}{told}")
    click.echo(say("{number} files differ").format(number=len(shown)))
    return 0


def row_changes(before: Manifest, after: Manifest) -> Iterator[tuple[str, str, int | None, int | None]]:
    """(database, table, rows before, rows after) where they differ; None: not there."""
    tables = [
        {(each.name, table): rows for each in manifest.databases for table, rows in each.tables.items()}
        for manifest in (before, after)
    ]
    for name, table in sorted({*tables[0], *tables[1]}):
        was, now = tables[0].get((name, table)), tables[1].get((name, table))
        if was != now:
            yield name, table, was, now


def _open(looking: Looking, hosts: Sequence[str], archive: str | None) -> Inside:
    found, problems = find_candidates(looking.config, looking.app, looking.journal, hosts=hosts)
    for problem in problems:
        click.echo(f"! {problem}", err=True)
    return _inside(looking.config, choose(found, looking.app, archive=archive, now=now_utc()))


def _inside(config: Config, chosen: Candidate) -> Inside:
    repository, files_archive = open_repository(config, chosen.host, lock_wait=30), files_archive_of(chosen)
    return Inside(chosen, repository, files_archive, read_manifest(repository, files_archive))


def _both(looking: Looking, runs: tuple[str, str], *, hosts: Sequence[str]) -> tuple[Repository, Inside, Inside]:
    """Both sets on the first host that has them. Raises ColocError."""
    for host in hosts_named(looking.config, hosts):
        found = candidates_of(looking.config, host, looking.journal, looking.app)
        try:
            before, after = (_inside(looking.config, choose(found, looking.app, archive=name)) for name in runs)
        except ColocError:
            continue  # the next host may hold both
        return before.repository, before, after
    raise ColocError(
        f"no host holds both {runs[0]!r} and {runs[1]!r} of {looking.app}",
        hint=f"see `coloc-agent archives {looking.app}`",
    )


def _line(item: Item) -> str:
    link = f" -> {harmless(item.link_target)}" if item.link_target else ""
    return f"{item.mode} {harmless(item.user)}:{harmless(item.group)} {size(item.size):>9}  /{_path(item.path)}{link}"


def _path(path: str) -> str:
    return harmless(path, at_most=1000)


def _as_data(item: Item) -> dict[str, object]:
    names = ("path", "mode", "user", "group", "uid", "gid", "size", "link_target")
    return {name: getattr(item, name) for name in names}


def _rows(number: int | None) -> str:
    return "-" if number is None else str(number)
