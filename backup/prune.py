"""Retention applied to one host: its list, what the journal knows, the plan, then one delete for everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from backup.borg import Repository
from backup.journal import Journal
from backup.names import checkpoint_of, parse_archive_name, run_time
from backup.retention import ArchiveSet, Verdict, plan_retention
from coloc.config import Config


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
    sets = sets_of(config.coloc.name, names, journal.proven(host))
    keep = config.backup.hosts[host].keep or config.backup.keep
    verdicts = plan_retention(sets, keep, zone=config.zone, apps=frozenset(apps), now=now)
    pruning = Pruning(host, tuple(verdicts), done=not dry_run)
    if pruning.removed and not dry_run:
        repository.delete(pruning.removed)
        journal.forget(host, [(verdict.set.app, verdict.set.run) for verdict in verdicts if not verdict.keep])
        repository.compact()
    return pruning


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
