"""`restore --in-place`: where there is room neither for what is new beside what is old, nor for a way back.

Rules. 1. Databases first, as always: loaded beside, counted, exchanged. 2. Then the app's folder is taken where nobody
else reaches it, what the archive has not is removed, and Borg writes file after file over the rest. 3. From then on
there is no way back, only on: whatever happens, the journal says so, and `--resume` goes on with the same archive.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backup.borg_output import Item
from backup.exchange import rename
from backup.names import new_run
from backup.restore import Restored, Restoring
from backup.restore_databases import Loader, compare, fetch, like
from backup.restore_files import listed_name, verify, walk
from backup.restore_finish import finish
from backup.restore_journal import RestoreJournal, new_journal
from backup.restore_plan import Space, refuse_when_full
from backup.restore_prepare import Place, Prepared, database_file, needs_of, spaces_of
from backup.restore_undo import NO_WAY_BACK, Hands, undo
from backup.restore_unfinished import refuse_unfinished
from backup.restore_units import running
from backup.run_lock import run_lock
from backup.staging import Staging
from backup.tree import Tree
from coloc import services
from coloc.config.whole import Config
from coloc.databases import sqlite
from coloc.databases.servers import servers_from
from coloc.errors import ColocError
from coloc.model import DatabaseKind


def spaces_in_place(config: Config, prepared: Prepared) -> tuple[Space, ...]:
    """What has to be free: databases as always, of files only by how much they grow."""
    plan = prepared.plan
    items = list(prepared.repository.items(plan.files_archive))
    grows = {place.target.member: growth(items, place) for place in folders_of(prepared)}
    listed = replace(prepared.listed, bytes_of={**prepared.listed.bytes_of, **grows})
    return spaces_of(needs_of(config, plan.manifest, plan.databases, listed, prepared.places))


def folders_of(prepared: Prepared) -> list[Place]:
    """The places that are written over; settings are small, and exchanged as always."""
    return [place for place in prepared.places if not place.target.is_setting]


def growth(items: Iterable[Item], place: Place) -> int:
    """By how many bytes the files of a place grow, at most, while one after the other is replaced."""
    grown, member = 0, place.target.member
    for item in items:
        if item.path == member or item.path.startswith(f"{member}/"):
            try:
                found = (place.path.parent / (place.path.name + item.path[len(member) :])).lstat()
                there = found.st_size if stat.S_ISREG(found.st_mode) else 0
            except OSError:
                there = 0
            grown += max(0, item.size - there)
    return grown


@dataclass(frozen=True, slots=True)
class InPlace:
    """One restore without a way back. `restoring`: the same things that an ordinary one needs."""

    restoring: Restoring

    def go(self) -> Restored:
        """Do it. Raises ColocError; before files are touched the app is then as it was, afterwards it is half way."""
        work, plan, config = self.restoring, self.restoring.prepared.plan, self.restoring.config
        refuse_when_full(plan.spaces)
        with run_lock(config.paths.journal, f"restore of {plan.wish.app}", work.clock()):
            refuse_unfinished(config)
            journal = new_journal(
                config.paths.journal,
                new_run(work.clock()),
                app=plan.wish.app,
                host=plan.candidate.host,
                run=plan.candidate.set.run,
                now=work.clock(),
            )
            journal.only, journal.wanted = str(plan.wish.only), plan.wish.path
            journal.begin()
            try:
                self._databases(journal)
            except BaseException:
                undo(journal, self._hands, work.clock())
                raise
            return self._files(journal)

    def go_on(self, journal: RestoreJournal) -> Restored:
        """After it was cut off: the files once more, from the same archive."""
        config = self.restoring.config
        with run_lock(config.paths.journal, f"restore of {journal.app}", self.restoring.clock()):
            return self._files(journal)

    @property
    def _hands(self) -> Hands:
        return Hands(servers_from(self.restoring.config.database_servers.as_data()), self.restoring.run)

    def _databases(self, journal: RestoreJournal) -> None:
        """Those of servers, and the settings: all that can be done as always."""
        work, prepared, plan = self.restoring, self.restoring.prepared, self.restoring.prepared.plan
        loader = Loader(journal, prepared.repository, self._hands, plan.manifest, work.config.root)
        staging, settings = Staging(journal), [place for place in prepared.places if place.target.is_setting]
        work.extract(staging, settings)
        for database in plan.databases:
            if database.kind is not DatabaseKind.SQLITE:
                work.on_step(f"{database.kind} {database.name}")
                loader.prepare(database, staging, [])
        units, changed = running(plan.units, run=work.run), work.changed(staging)
        journal.units = list(units)
        journal.step("units", units=list(units), reload=any("etc/systemd/" in each.target.member for each in changed))
        work.on_step("stop")
        services.stop(units, run=work.run)
        for place in changed:
            staging.exchange(staging.of(place), place.path)
        loader.exchange(staging)

    def _files(self, journal: RestoreJournal) -> Restored:
        work, began = self.restoring, time.monotonic()
        try:
            stripped = self._write_over(journal)
            kept = finish(
                journal, self._hands, clock=work.clock, settle_seconds=work.settle_seconds, on_step=work.on_step
            )
        except (ColocError, OSError, KeyboardInterrupt) as error:
            why = str(error) or "it was stopped"
            raise ColocError(
                f"{why}; {journal.app} stands half way, its units are stopped, and there is no way back",
                hint=f"mend that, then go on: coloc-agent restore {journal.app} --resume",
            ) from error
        return Restored(journal.id, time.monotonic() - began, kept.folders, kept.databases, (), stripped)

    def _write_over(self, journal: RestoreJournal) -> int:
        work, prepared, plan = self.restoring, self.restoring.prepared, self.restoring.prepared.plan
        numeric, stripped = work.config.root != Path("/"), 0
        for beside, places in Staging.by_folder(folders_of(prepared)):
            stage, members = beside / f".coloc-in-place-{journal.id}", [place.target.member for place in places]
            take(journal, stage, places)
            items = list(prepared.repository.items(plan.files_archive, members))
            work.on_step("extract " + ", ".join(f"/{member}" for member in members[:3]))
            for place in places:
                make_way(items, stage, place.target.member, spare=self._databases_below(place))
            prepared.repository.extract(plan.files_archive, stage, paths=members, numeric_ids=numeric)
            for place in places:
                self._sqlite(stage, place)
            work.on_step("compare")
            spared = {path for place in places for path in self._databases_below(place)}
            stripped += verify(items, stage, members, besides={stage / path for path in spared})
            give_back(stage, places)
        return stripped

    def _databases_below(self, place: Place) -> dict[str, Path]:
        """SQLite files below a place, and what lies beside them: member → where it lies when nothing is restored."""
        manifest, tree = self.restoring.prepared.plan.manifest, Tree(self.restoring.config.root)
        found: dict[str, Path] = {}
        for database in manifest.databases:
            if database.kind is DatabaseKind.SQLITE:
                path = database_file(tree, manifest, database)
                if path.is_relative_to(place.path):
                    member = f"{place.target.member}/{path.relative_to(place.path)}"
                    found |= {member + tail: path for tail in ("", *sqlite.BESIDE)}
        return found

    def _sqlite(self, stage: Path, place: Place) -> None:
        """SQLite files of this place: fetched beside, counted, renamed over the old one."""
        work, plan = self.restoring, self.restoring.prepared.plan
        below = {path: member for member, path in reversed(self._databases_below(place).items())}
        for database in plan.databases:
            if database.kind is not DatabaseKind.SQLITE:
                continue
            member = below.get(database_file(Tree(work.config.root), plan.manifest, database))
            if member is None:
                continue
            work.on_step(f"{database.kind} {database.name}")
            target = stage / member
            if any(each.is_symlink() for each in target.parents if each.is_relative_to(stage)):
                raise ColocError(f"{member} would be written through a link", hint="restore with --to, and look at it")
            new = target.with_name(f"{target.name}.coloc-new")
            new.unlink(missing_ok=True)
            fetch(work.prepared.repository, database, new)
            compare(database, sqlite.check_and_count(new))
            like(new, target if target.is_file() and not target.is_symlink() else None)
            for tail in sqlite.BESIDE:
                target.with_name(target.name + tail).unlink(missing_ok=True)
            new.replace(target)


def take(journal: RestoreJournal, stage: Path, places: Sequence[Place]) -> None:
    """Move the places into a folder that only root may enter: no app and no link reaches what is written there."""
    known = {step["stage"] for step in journal.steps if step["kind"] == NO_WAY_BACK}
    if str(stage) not in known:
        journal.step(NO_WAY_BACK, stage=str(stage), targets=[str(place.path) for place in places])
    stage.mkdir(mode=0o700, exist_ok=True)
    for place in places:
        inside = stage / place.target.member
        inside.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(place.path):
            if not os.path.lexists(inside):
                inside.mkdir(mode=0o700)
        elif os.path.lexists(inside):
            raise ColocError(
                f"something put {place.path} there while it was being restored", hint="move it away, then go on"
            )
        else:
            rename(place.path, inside)


def make_way(items: Iterable[Item], stage: Path, member: str, *, spare: Mapping[str, Path]) -> None:
    """Remove what the archive has not, or has as something else: only what is written over stays."""
    kinds = {item.path: item.mode[:1].replace("h", "-") for item in items}
    for path in reversed(list(walk(stage / member))):  # what is in a folder before the folder
        name = listed_name(str(path.relative_to(stage)))
        kind = stat.filemode(path.lstat().st_mode)[0]
        if name in spare or kinds.get(name) == kind:
            continue
        if kind != "d":
            path.unlink()
        elif not any(other.startswith(f"{name}/") for other in spare):
            shutil.rmtree(path)


def give_back(stage: Path, places: Sequence[Place]) -> None:
    """Everything to its place. Of the folder itself only empty folders are removed."""
    for place in places:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        rename(stage / place.target.member, place.path)
    for folder, _, _ in os.walk(stage, topdown=False):
        Path(folder).rmdir()
