"""One app to one host: its databases, then its files with the manifest, then the proof. All of it or a failure."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import metadata
from pathlib import Path

from backup.borg import OnProgress, Repository
from backup.borg_errors import ContentFailed, SourceMissing, printable
from backup.borg_output import Created, Progress
from backup.dump_spec import DumpResult, DumpSpec, dump_argv, member_of, read_result
from backup.manifest import MANIFEST, Manifest, SavedDatabase
from backup.names import archive_name
from backup.plan import AppPlan, DumpInside, SourceDatabase, members_of
from backup.readback import Sent, read_back
from backup.samples import take_samples
from backup.shrinking import Contents, has_files, refuse_shrunk
from coloc.databases.servers import Servers
from coloc.errors import ColocError, StateError

OnStep = Callable[[str, Progress | None], None]


@dataclass(frozen=True, slots=True)
class AppSet:
    """What one app became on one host: proven archives."""

    archives: tuple[str, ...]
    files_archive: str
    original_bytes: int
    stored_bytes: int
    contents: Contents
    repository_bytes: int = 0
    ids: tuple[str, ...] = ()  # of the archives, in their order


@dataclass(frozen=True, slots=True)
class AppRun:
    """One app, one host, one run. remaining: seconds that the run may still take; before: what the last one held."""

    coloc: str
    run: str
    plan: AppPlan
    repository: Repository
    staging: Path
    root: Path
    clock: Callable[[], datetime]
    remaining: Callable[[], float]
    on_step: OnStep
    dump_command: Callable[[Path], list[str]] = dump_argv
    servers: Servers = field(default_factory=Servers)
    before: Contents | None = None

    def of(self, plan: AppPlan, *, at_most: float) -> AppRun:
        """The same with another plan of the app, and `at_most` so many seconds from now."""
        end = time.monotonic() + at_most
        return replace(self, plan=plan, remaining=lambda: min(self.remaining(), max(1.0, end - time.monotonic())))

    def save(self) -> AppSet:
        """Do it. Raises ColocError with one sentence; then the set is not whole, and counts for nothing."""
        folder = self.staging / f"{self.repository.host}.{self.plan.app.id}"
        try:
            folder.mkdir(parents=True, mode=0o700)
            try:
                return self._save(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise StateError(
                f"{self.plan.app.id}: {error.filename or folder} cannot be used: {error.strerror}",
                hint="is the disk of paths.journal full? free some space and run it again",
            ) from error

    def _save(self, folder: Path) -> AppSet:
        sent, saved = [], []
        for number, source in enumerate(self.plan.databases):
            each, database = self._dump(source, folder / str(number))
            sent.append(each)
            saved.append(database)
        sent += self._files(folder, tuple(saved))
        self.on_step("readback", None)
        pattern = f"{self.coloc}.{self.plan.app.id}.{self.run}.*"
        read_back(self.repository, pattern, sent, timeout=self.remaining())
        created = list({each.created.archive: each.created for each in sent}.values())
        contents = self._contents(created[-1])
        folders = [folder.path for folder in self.plan.folders]
        refuse_shrunk(self.plan.app.id, self.before, contents, folders)
        return AppSet(
            tuple(each.archive for each in created),
            created[-1].archive,
            sum(each.original_bytes for each in created),
            sum(each.deduplicated_bytes for each in created),
            contents,
            created[-1].repository_bytes,
            tuple(each.id for each in created),
        )

    def _contents(self, files: Created) -> Contents:
        tops = {folder.path: self.root / folder.resolved.lstrip("/") for folder in self.plan.folders}
        full = frozenset(path for path, top in tops.items() if has_files(top))
        return Contents(full, files.files, files.original_bytes)

    def _dump(self, source: SourceDatabase, folder: Path) -> tuple[Sent, SavedDatabase]:
        database = source.database
        folder.mkdir(mode=0o700)
        path = str(self.root / source.path.lstrip("/")) if source.path else ""
        result_file, servers = str(folder / "result.json"), self.servers.as_data()
        spec = DumpSpec(database.kind, database.name, path, str(folder), result_file, servers)
        spec.write(folder / "spec.json")
        name = archive_name(self.coloc, self.plan.app.id, self.run, database)
        try:
            created = self.repository.create_from_command(
                name,
                self.dump_command(folder / "spec.json"),
                spec.member,
                comment=self._comment(),
                timeout=self.remaining(),
                on_progress=self._progress("database"),
            )
        except ContentFailed as error:
            why = _failure_in(folder / "result.json") or str(error)
            raise ColocError(
                f"{self.plan.app.id}: {why}", hint="nothing of this dump was kept; run it again"
            ) from error
        result = read_result(folder / "result.json")
        self._agree(created, result)
        shutil.rmtree(folder, ignore_errors=True)  # a copy of an SQLite file is not kept for the next one's sake
        return (
            Sent(created, member_of(database.kind), result.sha256, result.bytes, database.kind),
            SavedDatabase(
                database.kind, database.name, name, result.bytes, result.sha256, result.tables, result.end_marker
            ),
        )

    def _agree(self, created: Created, result: DumpResult) -> None:
        if result.failure or not result.end_marker or created.original_bytes != result.bytes:
            why = (
                result.failure or f"{created.original_bytes} bytes were saved of {result.bytes}, or the end is missing"
            )
            raise ColocError(f"{self.plan.app.id}: the dump is not whole: {why}", hint="run it again")

    def _files(self, folder: Path, databases: tuple[SavedDatabase, ...]) -> list[Sent]:
        """The archive of files, with the dumps that lie among them; last what the manifest is."""
        name = archive_name(self.coloc, self.plan.app.id, self.run)
        inside = tuple(_saved(dump, name) for dump in self.plan.dumped)
        text = self._manifest((*databases, *inside)).to_json().encode()
        (folder / MANIFEST).write_bytes(text)
        created = self.repository.create(
            name,
            [*self.plan.sources, f"{folder}/./{MANIFEST}"],
            exclude=self.plan.exclude,
            always=[f"pf:{folder}/{MANIFEST}"],  # whatever backup.exclude says
            comment=self._comment(),
            cache_suffix=f"{self.coloc}.{self.plan.app.id}",
            timeout=self.remaining(),
            on_progress=self._progress("files"),
        )
        _refuse_holes(self.plan, created)
        dumps = [Sent(created, each.file, each.sha256, each.bytes, each.kind) for each in inside]
        return [*dumps, Sent(created, MANIFEST, hashlib.sha256(text).hexdigest(), len(text))]

    def _manifest(self, databases: tuple[SavedDatabase, ...]) -> Manifest:
        app = self.plan.app
        return Manifest(
            self.coloc,
            app.id,
            self.run,
            self.clock(),
            agent_version(),
            app.version,
            app.label,
            app.user,
            self.plan.folders,
            self.plan.extra_paths,
            databases,
            self.plan.excluded,
            layout=self.plan.layout,
            samples=take_samples(self._tops(), seed=self.run, now=self.clock()),
        )

    def _tops(self) -> list[tuple[Path, str]]:
        """The folders on this disk, and where they lie in the archive of files."""
        return [(self.root / path, member) for path, member in members_of(self.plan).items()]

    def _comment(self) -> str:
        return f"coloc-agent {agent_version()}: {self.plan.app.id}, run {self.run}"

    def _progress(self, step: str) -> OnProgress:
        return lambda progress: self.on_step(step, progress)


def agent_version() -> str:
    """Our own version; "0" when run from a bare tree."""
    try:
        return metadata.version("coloc-agent")
    except metadata.PackageNotFoundError:
        return "0"


def _saved(dump: DumpInside, archive: str) -> SavedDatabase:
    database = dump.database
    return SavedDatabase(database.kind, database.name, archive, dump.bytes, dump.sha256, dump.tables, True, dump.member)


def _refuse_holes(plan: AppPlan, created: Created) -> None:
    """An archive with holes is kept in the repository and never called a success."""
    gone = [source for source in (each.replace("/./", "/", 1) for each in plan.sources) if _is_gone(source, created)]
    if gone:
        raise SourceMissing(f"{plan.app.id}: {gone[0]} vanished during the backup", hint="run it again")
    if created.unreadable:
        first = printable(created.unreadable[0].text)
        more = f" and {len(created.unreadable) - 1} more" if len(created.unreadable) > 1 else ""
        raise SourceMissing(f"{plan.app.id}: not everything could be read: {first}{more}", hint="run it as root")


def _is_gone(source: str, created: Created) -> bool:
    return any(line.text.startswith(f"{source}: ") for line in created.warnings if "[Errno 2]" in line.text)


def _failure_in(result: Path) -> str:
    try:
        return read_result(result).failure
    except ColocError:
        return ""
