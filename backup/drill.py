"""One drill: an app's newest archive on one host brought back into scratch places, and compared.

Rules. 1. Nothing of the app is touched. 2. What is made is in the journal first, and goes again, also after a kill.
3. It is whole when every file was compared and every dump loaded and counted; anything less is a part.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from backup.borg import Repository
from backup.drill_databases import Scratch
from backup.drill_files import Contents, FilesProof, Slice, list_contents, prove_slice, remove_tree, slices
from backup.drill_journal import DrillJournal
from backup.drill_plan import is_chosen
from backup.manifest import Manifest, SavedDatabase
from backup.restore_plan import Candidate, files_archive_of, safe_manifest
from backup.restore_prepare import nearest, read_manifest
from coloc.command import CommandFailed, Run, run
from coloc.config.whole import Config
from coloc.databases.servers import servers_from
from coloc.errors import ColocError, StateError
from coloc.model import DatabaseKind
from coloc.trusted import require_command

_MARGIN_BYTES = 1_000_000_000
_DATA_FOLDERS = {DatabaseKind.MYSQL: "/var/lib/mysql", DatabaseKind.POSTGRESQL: "/var/lib/postgresql"}
_SMOKE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proven of one set. `bytes` of `total_bytes`; `whole` only when nothing was left out."""

    archive: str
    whole: bool
    bytes: int
    total_bytes: int
    files: FilesProof
    databases: int
    rows: int
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """What part of it was proven; 1 only for the whole."""
        if self.whole:
            return 1.0
        return min(0.99, self.bytes / self.total_bytes) if self.total_bytes else 0.0


@dataclass(frozen=True, slots=True)
class Drill:
    """One set on one host. most_bytes: what may be read, None for the whole; seed: another part each time."""

    config: Config
    repository: Repository
    chosen: Candidate
    journal: DrillJournal
    seed: str
    most_bytes: int | None = None
    on_step: Callable[[str], None] = lambda _: None
    remaining: Callable[[], float] = lambda: 24 * 3600.0
    run: Run = run
    read: Callable[[Repository, str], Manifest] = read_manifest

    def go(self) -> Proof:
        """Do it. Raises ColocError with one sentence; then the set is not proven."""
        folder = self._folder()
        self.journal.leave("folder", str(folder))
        try:
            folder.mkdir(parents=True, mode=0o700)
            return self._go(folder)
        except OSError as error:
            raise StateError(
                f"{error.filename or folder} cannot be used: {error.strerror or error}",
                hint="is the disk of backup.drill.folder full? free some space, run it as root",
            ) from error
        finally:
            remove_tree(folder)
            self.journal.gone("folder", str(folder))

    def _folder(self) -> Path:
        top = self.config.backup.drill.folder or self.config.paths.journal / "drill"
        return top / f"coloc-drill-{secrets.token_hex(8)}"

    def _go(self, folder: Path) -> Proof:
        archive = files_archive_of(self.chosen)
        self.on_step("list")
        manifest = safe_manifest(self.read(self.repository, archive), self.chosen, self.config.coloc.name)
        contents = list_contents(self.repository, archive, folder / "list", timeout=self.remaining())
        apart = [each for each in manifest.databases if each.archive != archive]
        total = contents.bytes + sum(each.bytes for each in apart)
        left = total if self.most_bytes is None else self.most_bytes
        databases, notes = self._that_fit(manifest, left)
        left -= sum(each.bytes for each in databases)
        with ExitStack() as scratch:
            names, rows = self._databases(manifest, databases, folder, scratch)
            files, all_files = self._files(contents, manifest, folder, left, names)
        whole = all_files and len(databases) == len(manifest.databases)
        if not all_files and self.most_bytes is None:
            notes.append("some files are larger than the room for drills")
        proven = files.bytes + sum(each.bytes for each in databases if each in apart)
        return Proof(archive, whole, proven, total, files, len(databases), rows, tuple(notes))

    def _that_fit(self, manifest: Manifest, most: int) -> tuple[list[SavedDatabase], list[str]]:
        """The databases of this drill, small ones first, and why others are left out."""
        chosen: list[SavedDatabase] = []
        notes: list[str] = []
        for database in sorted(manifest.databases, key=lambda each: each.bytes):
            here = nearest(Path(_DATA_FOLDERS.get(database.kind, str(self._folder()))))
            if not _fits(here, 2 * database.bytes):
                notes.append(f"no room to load {database.name} beside {here}")
            elif database.bytes > most and self.most_bytes is not None:
                notes.append(f"{database.name} is more than may be read")
            else:
                chosen.append(database)
                most -= database.bytes
        return chosen, notes

    def _databases(
        self, manifest: Manifest, databases: list[SavedDatabase], folder: Path, stack: ExitStack
    ) -> tuple[dict[str, str], int]:
        scratch = Scratch(
            self.repository,
            servers_from(self.config.database_servers.as_data()),
            self.journal,
            folder,
            manifest.user,
            self.run,
            self.remaining,
        )
        names: dict[str, str] = {}
        for database in databases:
            self.on_step(f"{database.kind} {database.name}")
            name = scratch.load(database)
            if self._command:  # it may want to ask them
                stack.callback(scratch.drop, database.kind, name)
                names[f"{database.kind}:{database.name}"] = name
            else:
                scratch.drop(database.kind, name)
        return names, sum(sum(each.tables.values()) for each in databases)

    def _files(
        self, contents: Contents, manifest: Manifest, folder: Path, left: int, names: dict[str, str]
    ) -> tuple[FilesProof, bool]:
        room = min(self.config.backup.drill.room, _room_in(folder))
        everything = self.most_bytes is None or left >= contents.bytes
        if everything and contents.bytes <= room:
            return self._one_slice(
                contents, Slice(frozenset(), contents.items, contents.bytes), manifest, folder, names
            ), True
        ratio = 1.0 if everything else left / contents.bytes
        proof = FilesProof()
        takes = lambda item: everything or is_chosen(item.path, self.seed, ratio)  # noqa: E731 - it is short
        for part in slices(contents.read(), takes, room=room, most=None if everything else left):
            proof = proof.plus(self._one_slice(contents, part, manifest, folder, {}))
        return proof, proof.files == contents.items

    def _one_slice(
        self, contents: Contents, part: Slice, manifest: Manifest, folder: Path, names: dict[str, str]
    ) -> FilesProof:
        self.on_step(f"extract {part.files} files")
        scratch = folder / "files"
        proof = prove_slice(contents, part, manifest, scratch, timeout=self.remaining())
        if self._command and not part.paths:
            self._smoke(scratch, names)
        remove_tree(scratch)
        return proof

    @property
    def _command(self) -> tuple[str, ...]:
        entry = self.config.apps.get(self.chosen.set.app)
        return entry.drill_command if entry else ()

    def _smoke(self, files: Path, names: dict[str, str]) -> None:
        """The app's own try of what came back: a command of coloc.yml. Raises ColocError when it says no."""
        app = self.chosen.set.app
        require_command(self._command, f"apps.{app}.drill_command")
        self.on_step("try")
        env = {"COLOC_DRILL_APP": app, "COLOC_DRILL_FOLDER": str(files), "COLOC_DRILL_DATABASES": json.dumps(names)}
        try:
            self.run(self._command, timeout=min(_SMOKE_SECONDS, self.remaining()), env=env, cwd=files)
        except CommandFailed as error:
            raise ColocError(f"{app}: its drill_command failed: {error}", hint=error.hint) from error


def _room_in(folder: Path) -> int:
    usage = shutil.disk_usage(folder)
    return max(0, usage.free - min(_MARGIN_BYTES, usage.total // 20))


def _fits(folder: Path, size: int) -> bool:
    return size <= _room_in(folder) or size == 0
