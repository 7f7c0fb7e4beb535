"""A whole app back through `yunohost backup restore`: its user, database, packages and settings as YunoHost makes them.

Rules. 1. Nothing is removed before the archive lies here as a tar that was compared with the archive's list. 2. An app
that is there is backed up first, to the same host, and read back. 3. Then it is removed, and restored. When that fails,
the backup of before is restored in its place. 4. Each step is in a small journal: after a cut the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from backup.borg import Repository
from backup.borg_output import Item
from backup.manifest import Layout, Manifest
from backup.names import SYSTEM
from backup.restore_plan import Candidate, Space, refuse_when_full
from backup.run_lock import run_lock
from backup.yunohost_call import Yunohost, last_words, results_of
from coloc.command import CommandFailed
from coloc.config.whole import Config
from coloc.errors import ColocError, StateError
from coloc.facts import Spool, write_whole
from coloc.times import iso

logger = logging.getLogger(__name__)
_ARCHIVES = "home/yunohost.backup/archives"
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Whole:
    """What comes back: a set in YunoHost's layout, its archive, its size."""

    app: str
    candidate: Candidate
    archive: str
    manifest: Manifest
    bytes: int


@dataclass(frozen=True, slots=True)
class Note:
    """Where a restore stands, on the disk. safety: the archive of what was there, "" when nothing was."""

    app: str
    host: str
    archive: str
    safety: str
    step: str
    began_at: str


@dataclass(frozen=True, slots=True)
class WholeRestore:
    """One restore at work. save: backs the app up to the host now, and names its proven archive."""

    config: Config
    yunohost: Yunohost
    repository: Repository
    spool: Spool
    save: Callable[[], str]
    clock: Callable[[], datetime]
    on_step: Callable[[str], None] = lambda _: None

    def go(self, whole: Whole) -> str:
        """Do it; the archive of what was there before, "" for nothing. A ColocError says how the app is then."""
        refuse_when_full(rooms(self.config, whole))
        before = unfinished(self.config, whole.app)
        there = is_there(self.config, whole.app)
        safety = before.safety if before else ""
        if there and before is None:
            self.on_step("save")
            safety = self.save()
        began, clock = time.monotonic(), iso(self.clock())
        note = Note(whole.app, self.repository.host, whole.archive, safety, "fetching", clock)
        try:
            with run_lock(self.config.paths.journal, f"restore of {whole.app}", self.clock()):
                self._restore(whole, note, there=there)
        except KeyboardInterrupt as error:
            self._fact(whole, began, ok=False)
            raise ColocError(
                f"stopped while YunoHost was at work on {whole.app}", hint="call the same command again: it goes on"
            ) from error
        except BaseException:
            self._fact(whole, began, ok=False)
            raise
        self._fact(whole, began, ok=True)
        return safety

    def _restore(self, whole: Whole, note: Note, *, there: bool) -> None:
        with self._tar(whole.archive, whole.manifest) as tar:
            if there and whole.app != SYSTEM:
                self._write(replace(note, step="removing"))
                self.on_step("remove")
                self._remove(whole.app)
            self._write(replace(note, step="restoring"))
            self.on_step("restore")
            try:
                self._bring_back(whole.app, tar)
            except ColocError as error:
                self._put_back(note, error)
        _note(self.config, whole.app).unlink(missing_ok=True)

    def _put_back(self, note: Note, error: ColocError) -> None:
        """What was there before, once more. Always raises ColocError."""
        if not note.safety:
            _note(self.config, note.app).unlink(missing_ok=True)
            raise ColocError(
                f"{error}; {note.app} was not there before, and is not there now", hint=error.hint
            ) from error
        self._write(replace(note, step="putting back"))
        self.on_step("undo")
        by_hand = f"bring back {note.safety}: coloc-agent restore {note.app} --yunohost --archive {note.safety}"
        try:
            with self._tar(note.safety, None) as tar:
                if is_there(self.config, note.app) and note.app != SYSTEM:
                    self._remove(note.app)
                self._bring_back(note.app, tar)
        except ColocError as worse:
            raise ColocError(f"{error}; and {note.app} could not be put back: {worse}", hint=by_hand) from error
        _note(self.config, note.app).unlink(missing_ok=True)
        raise ColocError(f"{error}; {note.app} was put back as it was", hint=error.hint) from error

    def _remove(self, app: str) -> None:
        try:
            self.yunohost.do("app", "remove", app, "--purge")
        except CommandFailed as error:
            raise ColocError(
                f"YunoHost could not remove {app}: {last_words(error.output)}", hint="look at yunohost log list"
            ) from error

    def _bring_back(self, app: str, tar: Path) -> None:
        what = ["--system", "--force"] if app == SYSTEM else ["--apps", app]
        try:
            output = self.yunohost.do("backup", "restore", tar.stem, *what)
        except CommandFailed as error:
            raise ColocError(
                f"YunoHost could not restore {app}: {last_words(error.output)}", hint="look at yunohost log list"
            ) from error
        answer = json.loads(output.stdout.strip().rpartition("\n")[2] or "{}")
        results = results_of(json.dumps({"results": answer}))
        words = results.get("system", {}) if app == SYSTEM else {app: results.get("apps", {}).get(app, "nothing")}
        bad = [f"{name} {word}" for name, word in sorted(words.items()) if word != "Success"]
        if bad or not words or (app != SYSTEM and not is_there(self.config, app)):
            raise ColocError(f"YunoHost says: {', '.join(bad) or 'nothing'}", hint="look at yunohost log list")

    @contextmanager
    def _tar(self, archive: str, manifest: Manifest | None) -> Iterator[Path]:
        """The archive as YunoHost wants it, compared with its list; gone afterwards."""
        folder = self.config.root / _ARCHIVES
        folder.mkdir(parents=True, exist_ok=True)
        tar = folder / f"coloc-restore-{hashlib.sha256(archive.encode()).hexdigest()[:16]}.tar"
        self.on_step("extract")
        try:
            tar.unlink(missing_ok=True)
            os.close(os.open(tar, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self.repository.export_tar(archive, tar)
            self.on_step("compare")
            compare(tar, self.repository.items(archive), manifest)
            yield tar
        except OSError as error:
            raise StateError(f"{tar} cannot be written: {error.strerror or error}", hint="free some space") from error
        finally:
            tar.unlink(missing_ok=True)
            tar.with_suffix(".info.json").unlink(missing_ok=True)  # YunoHost's own note beside it

    def _write(self, note: Note) -> None:
        path = _note(self.config, note.app)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, json.dumps(asdict(note)) + "\n")
        except OSError as error:
            raise StateError(f"{path} cannot be written: {error.strerror}", hint="free some space") from error

    def _fact(self, whole: Whole, began: float, *, ok: bool) -> None:
        seconds = round(time.monotonic() - began, 3)
        values = {"app": whole.app, "host": self.repository.host, "archive": whole.archive}
        try:
            self.spool.write("restore", self.clock(), ok=ok, seconds=seconds, **values)
        except StateError as error:
            logger.error("a fact was lost", extra={"kind": "restore", "why": str(error)})


def require_yunohosts(manifest: Manifest) -> None:
    """Raises ColocError for an archive that YunoHost cannot read."""
    if manifest.layout is not Layout.YUNOHOST:
        raise ColocError(
            f"this archive of {manifest.app} is not in YunoHost's layout", hint="bring it back without --yunohost"
        )


def rooms(config: Config, whole: Whole) -> tuple[Space, ...]:
    """The tar, what YunoHost unpacks of it, and the app itself: of this app alone."""
    folder = config.root / "home"
    while not folder.is_dir():
        folder = folder.parent
    stat = os.statvfs(folder)
    free = (stat.f_bavail if os.geteuid() else stat.f_bfree) * stat.f_frsize
    return (Space(str(folder), 3 * whole.bytes, free),)


def is_there(config: Config, app: str) -> bool:
    """Is the app installed? YunoHost's own parts are, where YunoHost is."""
    place = "etc/yunohost/installed" if app == SYSTEM else f"etc/yunohost/apps/{app}/settings.yml"
    return (config.root / place).is_file()


def unfinished(config: Config, app: str) -> Note | None:
    """A restore of this app that was cut off; None when there is none."""
    try:
        return Note(**json.loads(_note(config, app).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def compare(tar: Path, items: Iterator[Item], manifest: Manifest | None) -> None:
    """Every name and size of the list is in the tar, and the dumps are those of the manifest. Raises ColocError."""
    dumps = {each.file: each.sha256 for each in manifest.databases if each.member} if manifest else {}
    expected = {item.path: item.size if item.type == "-" else 0 for item in items}
    with tarfile.open(tar) as opened:
        for member in opened:
            size = expected.pop(member.name.rstrip("/"), None)
            if size is None or (member.isreg() and member.size != size):
                raise _different(member.name)
            file = opened.extractfile(member) if member.name in dumps else None
            if file is not None:
                digest = hashlib.sha256()
                while piece := file.read(_PIECE):
                    digest.update(piece)
                if digest.hexdigest() != dumps[member.name]:
                    raise _different(member.name)
    if expected:
        raise _different(next(iter(expected)))


def _different(name: str) -> ColocError:
    return ColocError(
        f"{name[:200]!r} did not come out of the archive as it is listed",
        hint="nothing was removed; take another archive or host",
    )


def _note(config: Config, app: str) -> Path:
    return config.paths.journal / "restores" / f"yunohost.{app}.note"
