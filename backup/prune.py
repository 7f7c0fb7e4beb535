"""Retention applied to one host: its list, what the journal knows, the plan, then one delete for everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backup import ledger
from backup.borg import Repository
from backup.borg_errors import BorgError
from backup.journal import Journal
from backup.leaving import left_since
from backup.names import LIKE_APPS, checkpoint_of, parse_archive_name, run_time
from backup.retention import ArchiveSet, Left, Verdict, plan_retention
from coloc.config.whole import Config


@dataclass(frozen=True, slots=True)
class Pruning:
    """A host's verdicts, and whether they were carried out."""

    host: str
    verdicts: tuple[Verdict, ...]
    done: bool

    @property
    def removed(self) -> tuple[str, ...]:
        """The archives that go."""
        return tuple(name for verdict in self.verdicts if not verdict.keep for name in verdict.set.archives)


def prune_host(
    config: Config,
    repository: Repository,
    journal: Journal,
    *,
    names: Iterable[str],
    apps: Iterable[str],
    now: datetime,
    dry_run: bool = False,
) -> Pruning:
    """Decide over the archives called `names` and, unless dry_run, delete and give the room back.

    Raises BorgError or StateError.
    """
    host = repository.host
    names, proven = list(names), journal.proven(host)
    refuse_lost(host, names, proven)
    sets = sets_of(config.coloc.name, names, proven)
    keep = config.backup.hosts[host].keep or config.backup.keep
    verdicts = plan_retention(
        sets,
        keep,
        zone=config.zone,
        apps=frozenset(apps) | LIKE_APPS,
        now=now,
        minimum=config.backup.minimum,
        left=Left(left_since(journal), timedelta(seconds=config.backup.left_after)),
    )
    pruning = Pruning(host, tuple(verdicts), done=not dry_run)
    if pruning.removed and not dry_run:
        # Forgotten first: a proven set that we know and that is gone means that somebody else removed it.
        gone = [(verdict.set.app, verdict.set.run) for verdict in verdicts if not verdict.keep]
        ledger.write_all(journal, [ledger.Entry(host, "removed", app, run, {}) for app, run in gone], now)
        journal.forget(host, gone)
        repository.delete(pruning.removed)
        repository.compact()
    return pruning


def refuse_lost(host: str, names: Iterable[str], proven: Mapping[tuple[str, str], frozenset[str]]) -> None:
    """Raises BorgError when proven archives that we know are no longer there: then nothing more is removed."""
    present = frozenset(names)
    lost = sorted((run_time(run), app) for (app, run), archives in proven.items() if not archives <= present)
    if lost:
        at, app = lost[-1]
        raise BorgError(
            f"{host}: {len(lost)} proven backups are gone, and not by us; the newest is {app} of {at:%Y-%m-%d}",
            hint=f"who else can delete there? if that is known: coloc-agent backup --new-repository {host}",
        )


def sets_of(coloc: str, archives: Iterable[str], proven: Mapping[tuple[str, str], frozenset[str]]) -> list[ArchiveSet]:
    """The archives of this coloc by app and run; what others keep in the same repository is none of our business."""
    grouped: dict[tuple[str, str], list[str]] = {}
    whole: set[tuple[str, str]] = set()
    for archive in archives:
        name = parse_archive_name(archive)
        owner = name or checkpoint_of(archive)
        if owner is None or owner.coloc != coloc:
            continue
        grouped.setdefault((owner.app, owner.run), []).append(archive)
        if name and name.is_files:
            whole.add((owner.app, owner.run))
    return [
        ArchiveSet(
            app,
            run,
            run_time(run),
            tuple(names),
            complete=(app, run) in whole,
            proven=(app, run) in whole and bool(proven.get((app, run))) and proven[app, run] <= set(names),
        )
        for (app, run), names in grouped.items()
    ]
