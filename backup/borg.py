"""A Borg repository: the calls we make, with our environment. It decides nothing; words are parsed in borg_output."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from backup.borg_errors import (
    HostDown,
    RepositoryMissing,
    Said,
    SourceMissing,
    Stopped,
    failure,
    printable,
    user_name,
    what_ssh_means,
)
from backup.borg_output import (
    Archive,
    ArchiveInfo,
    Change,
    Created,
    Item,
    Listener,
    Listing,
    Progress,
    RepositoryInfo,
    parse_archive_infos,
    parse_change,
    parse_created,
    parse_item,
    parse_list,
    parse_repository_info,
)
from backup.pipes import pipe_to, secret_pipe
from coloc.command import CommandFailed, Order, Output, Run, run
from coloc.errors import ColocError
from coloc.secrets import Secret

OnProgress = Callable[[Progress], None]
FILE_CHUNKS = "buzhash,19,23,21,4095"  # Borg's own
DUMP_CHUNKS = "buzhash,12,20,14,4095"  # 16 k: a dump with few changed rows costs a third
_HOURS = 3600.0
_WARNINGS = frozenset({0, 1, *range(100, 128)})
_SHORT, _LONG = 600.0, 24 * _HOURS
_LARGEST_CHUNK = 1 << 23  # bytes, of FILE_CHUNKS


@dataclass(frozen=True, slots=True)
class Ssh:
    """How a friend's server is entered: our own key, and the host keys that we know."""

    key_file: Path
    known_hosts_file: Path

    def command(self) -> str:
        """What BORG_RSH says: nothing is asked, an unknown host is refused, a dead one is noticed within 90 s."""
        options = (
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            f'UserKnownHostsFile="{self.known_hosts_file}"',
            "GlobalKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "ConnectTimeout=20",
            "ServerAliveInterval=30",
            "ServerAliveCountMax=3",
        )
        return shlex.join(["ssh", "-i", str(self.key_file), *(f"-o{option}" for option in options)])


def borg_program() -> str:
    """Borg of our own venv if there is one, else the one on PATH. Raises ColocError."""
    beside = Path(sys.executable).parent / "borg"
    if os.access(beside, os.X_OK):
        return str(beside)
    found = shutil.which("borg")
    if not found:
        raise ColocError("borg is not installed", hint="install borgbackup 1.4 beside coloc-agent (make install)")
    return found


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository on one backup host. Every method raises a BorgError that names the host."""

    host: str
    location: str  # an absolute folder or ssh://…
    passphrase: Secret
    base: Path  # where Borg keeps its cache and its memory of repositories; ours alone
    ssh: Ssh | None = None
    remote_borg: str | None = None
    lock_wait: int = 300
    upload_limit: int | None = None  # bytes a second
    has_moved: bool = False  # a person said so: Borg need not ask
    idle_timeout: float = 1800.0
    run: Run = run
    program: str | None = None

    def init(self) -> None:
        """Make the repository (its key inside it, opened by the passphrase)."""
        if not self.location.startswith("ssh://") and not Path(self.location).parent.is_dir():
            raise RepositoryMissing(
                f"{self.host}: the folder {Path(self.location).parent} does not exist",
                hint="is its disk mounted? make the folder, or correct path: in coloc.yml",
            )
        self._call(["init", "--encryption=repokey"], timeout=_SHORT)

    def create(
        self,
        archive: str,
        paths: Sequence[str],
        *,
        exclude: Sequence[str] = (),
        always: Sequence[str] = (),
        comment: str = "",
        cache_suffix: str = "",
        compression: str = "zstd,3",
        timeout: float = _LONG,
        on_progress: OnProgress | None = None,
    ) -> Created:
        """Save paths (`ROOT/./var/www/app` is kept as `var/www/app`; links are kept as links).

        exclude: Borg's patterns, on the whole path; always: patterns that win over them. cache_suffix: one per app, so
        that unchanged files are not read again. What cannot be read is in `warnings` of the answer; nothing readable at
        all raises SourceMissing.
        """
        arguments = [f"--pattern=+ {pattern}" for pattern in always] + [f"--exclude={pattern}" for pattern in exclude]
        arguments += [
            f"--compression={compression}",
            f"--comment={_literal(comment)}",
            f"--chunker-params={FILE_CHUNKS}",
        ]
        argv = [*arguments, f"::{archive}", *paths]
        return self._create(argv, cache_suffix=cache_suffix, timeout=timeout, on_progress=on_progress)

    def create_from_command(
        self,
        archive: str,
        argv: Sequence[str],
        member: str,
        *,
        comment: str = "",
        timeout: float = _LONG,
        on_progress: OnProgress | None = None,
    ) -> Created:
        """Save the output of a program as one file called `member`; if it fails, there is no archive."""
        arguments = ["--content-from-command", f"--stdin-name={member}", f"--comment={_literal(comment)}"]
        arguments += ["--compression=zstd,3", f"--chunker-params={DUMP_CHUNKS}"]
        argv = [*arguments, f"::{archive}", "--", *argv]
        return self._create(argv, cache_suffix="", timeout=timeout, on_progress=on_progress)

    def archives(self) -> tuple[Archive, ...]:
        """All archives, oldest first, checkpoints of interrupted runs included."""
        return self.listing().archives

    def listing(self) -> Listing:
        """The repository's id and all its archives. It opens the key: a wrong passphrase shows here."""
        output, _ = self._call(["list", "--json", "--consider-checkpoints"], timeout=_SHORT)
        return parse_list(output.stdout)

    def archive_infos(self, pattern: str) -> list[ArchiveInfo]:
        """Counts and sizes of the archives whose names match a shell pattern."""
        output, _ = self._call(["info", "--json", f"--glob-archives={pattern}"], timeout=_HOURS)
        return parse_archive_infos(output.stdout)

    def info(self) -> RepositoryInfo:
        """The repository's id and size."""
        output, _ = self._call(["info", "--json"], timeout=_SHORT)
        return parse_repository_info(output.stdout)

    def items(self, archive: str, paths: Sequence[str] = ()) -> Iterator[Item]:
        """The files of an archive, one by one from a temporary file: an archive may hold millions."""
        with tempfile.TemporaryDirectory(prefix="coloc-items-") as folder:
            lines = Path(folder) / "items"
            self.write_items(archive, lines, paths=paths)
            yield from read_items(lines)

    def write_items(self, archive: str, to: Path, *, paths: Sequence[str] = (), timeout: float = _HOURS) -> None:
        """The list of an archive's files in a file, for `read_items`: it is fetched once and may be read twice."""
        self._call(["list", "--json-lines", f"::{archive}", *_exactly(paths)], timeout=timeout, stdout_to=to)

    def diff(self, one: str, other: str) -> list[Change]:
        """What differs from one archive to the other, in the order of Borg's list."""
        with tempfile.TemporaryDirectory(prefix="coloc-diff-") as folder:
            lines = Path(folder) / "changes"
            self._call(["diff", "--json-lines", f"::{one}", other], timeout=_HOURS, stdout_to=lines)
            with lines.open(encoding="utf-8", errors="surrogateescape") as file:
                return [parse_change(line) for line in file]

    def extract(
        self,
        archive: str,
        into: Path,
        *,
        paths: Sequence[str] = (),
        patterns: Path | None = None,
        numeric_ids: bool = False,
        timeout: float = _LONG,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Extract an archive, or these files and folders of it, below an existing folder, with owners and modes.

        patterns: a file of Borg's, where the paths are too many for a command. Owners are found by name here, unless
        numeric_ids: then as the numbers that were saved.
        Raises SourceMissing when one of the paths is not in the archive.
        """
        options = ["--numeric-ids"] if numeric_ids else []
        options += [f"--patterns-from={patterns}"] if patterns else []
        _, said = self._call(
            ["extract", "--progress", *options, "--sparse", f"::{archive}", *_exactly(paths)],
            timeout=timeout,
            cwd=into,
            on_progress=on_progress,
            accept=_WARNINGS,
        )
        self._refuse_warnings(said)

    def extract_member(self, archive: str, member: str, to: Path, *, timeout: float = _LONG) -> None:
        """Write the content of one file of an archive to `to` (a file, or a named pipe that somebody reads)."""
        _, said = self._call(
            ["extract", "--stdout", "--progress", f"::{archive}", *_exactly([member])],
            timeout=timeout,
            stdout_to=to,
            accept=_WARNINGS,
        )
        self._refuse_warnings(said)

    def stream_member(
        self, archive: str, member: str, feed: Callable[[bytes], object], *, timeout: float = _LONG
    ) -> None:
        """Hand the content of one file of an archive to `feed`, piece by piece, in bounded memory."""
        with pipe_to(feed) as end:
            self.extract_member(archive, member, end, timeout=timeout)

    def delete(self, names: Sequence[str], *, on_progress: OnProgress | None = None) -> None:
        """Delete archives, all in one process. Names that are gone already are fine."""
        if names:
            self._call(
                ["delete", "--progress", "::", *names], timeout=_LONG, on_progress=on_progress, accept=frozenset({0, 1})
            )

    def compact(self, *, on_progress: OnProgress | None = None) -> None:
        """Give the room of deleted archives back to the disk."""
        self._call(["compact", "--progress"], timeout=_LONG, on_progress=on_progress)

    def check(
        self,
        *,
        only: str = "",
        newest: int = 0,
        verify_data: bool = False,
        max_seconds: int = 0,
        glob: str = "",
        timeout: float = _LONG,
        on_progress: OnProgress | None = None,
    ) -> list[str]:
        """Check, never repair; returns what Borg said. only: "repository" or "archives"; newest: that many archives.

        max_seconds: a slice, after which Borg remembers where to go on; glob: only archives of these names.
        """
        arguments = ["check", "--info", "--progress", *([f"--{only}-only"] if only else [])]
        arguments += [f"--last={newest}"] if newest else []
        arguments += ["--verify-data"] if verify_data else []
        arguments += [f"--max-duration={max_seconds}"] if max_seconds else []
        arguments += [f"--glob-archives={glob}"] if glob else []
        _, said = self._call(arguments, timeout=timeout, on_progress=on_progress)
        return [line.text for line in said]

    def export_tar(self, archive: str, to: Path, *, timeout: float = _LONG) -> None:
        """Write an archive as a tar file over an existing one, which keeps its mode."""
        _, said = self._call(
            ["export-tar", "--progress", f"::{archive}", "-"], timeout=timeout, stdout_to=to, accept=_WARNINGS
        )
        self._refuse_warnings(said)

    def export_key(self, to: Path) -> None:
        """Write the repository's key (still closed by the passphrase) to a file, for safe keeping elsewhere."""
        self._call(["key", "export", "::", str(to)], timeout=_SHORT)

    def change_passphrase(self, new: Secret) -> None:
        """Close the repository's key with another passphrase; old and new come by stdin, as a person types them.

        With BORG_PASSPHRASE_FD Borg would take the old one for the new one as well.
        """
        typed = f"{self.passphrase.reveal()}\n{new.reveal()}\n{new.reveal()}\n"
        self._call(["key", "change-passphrase"], timeout=_SHORT, stdin=typed)

    def _create(
        self, arguments: Sequence[str], *, cache_suffix: str, timeout: float, on_progress: OnProgress | None
    ) -> Created:
        argv = ["create", "--json", "--progress", *arguments]
        env = {"BORG_FILES_CACHE_SUFFIX": cache_suffix} if cache_suffix else {}
        output, said = self._call(argv, timeout=timeout, env=env, on_progress=on_progress, accept=_WARNINGS)
        if not output.stdout.strip():
            raise failure(said, output.code, self.host)
        return parse_created(output.stdout, said)

    def _refuse_warnings(self, said: Sequence[Said]) -> None:
        loud = [line for line in said if line.level in {"WARNING", "ERROR", "CRITICAL"}]
        if any("never matched" in line.text for line in loud):
            raise SourceMissing(f"{self.host}: {printable(loud[0].text)}", hint="list the archive to see what it holds")
        if loud:
            raise failure(loud, 1, self.host)

    def _call(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str | None = None,
        stdout_to: Path | None = None,
        on_progress: OnProgress | None = None,
        accept: frozenset[int] = frozenset({0}),
    ) -> tuple[Output, list[Said]]:
        """One borg process. The passphrase travels through a pipe of its own: neither argv nor environment shows it."""
        listener = Listener(on_progress)
        common = ["--log-json", f"--lock-wait={self.lock_wait}"]
        common += [f"--remote-path={self.remote_borg}"] if self.remote_borg else []
        common += [f"--upload-ratelimit={self.upload_limit // 1024}"] if self.upload_limit else []
        argv = [self.program or borg_program(), *common, *arguments]
        with secret_pipe(self.passphrase) as descriptor:
            try:
                output = self.run(
                    argv,
                    timeout=timeout,
                    env={**self._env(), **(env or {}), **({} if stdin else {"BORG_PASSPHRASE_FD": str(descriptor)})},
                    accept=accept,
                    cwd=cwd,
                    stdin=stdin,
                    stdout_to=stdout_to,
                    on_stderr=listener,
                    stop_with=self._interrupt(),
                    idle_timeout=self.idle_timeout,
                    pass_fds=(descriptor,),
                )
            except CommandFailed as error:
                raise self._meaning(error, listener.said) from error
        return output, listener.said

    def _interrupt(self) -> Sequence[Order]:
        """Only INT makes Borg keep what was sent, once the chunk under way is there; within one file it then goes on,
        until a second one."""
        sending = 2 * _LARGEST_CHUNK / self.upload_limit if self.upload_limit else 0.0
        return (signal.SIGINT, 20.0 + sending), (signal.SIGINT, 10.0)

    def _meaning(self, error: CommandFailed, said: Sequence[Said]) -> ColocError:
        why = str(error)
        if "was ended" in why:
            return Stopped(f"{self.host}: {why}", hint="what was sent is kept; the next run goes on from there")
        if error.output.code in {126, 127} and not said:
            return error
        meaning = failure(said, error.output.code, self.host)
        return (self._ask_ssh() or meaning) if type(meaning) is HostDown else meaning

    def _ask_ssh(self) -> ColocError | None:
        """Borg may hang up before it has read what ssh said of the reason: then ssh is asked alone."""
        place = urlsplit(self.location)
        if self.ssh is None or not place.hostname:
            return None
        port = ["-p", str(place.port)] if place.port else []
        who = f"{place.username}@{place.hostname}" if place.username else place.hostname
        argv = [*shlex.split(self.ssh.command()), *port, "-T", "--", who, "borg --version"]
        try:
            said = self.run(argv, timeout=40, accept=frozenset(range(256)))
        except CommandFailed:
            return None
        spoke = said.code in {126, 127, 255}  # the shell there found no borg, or ssh itself refused
        return what_ssh_means(said.stderr.splitlines(), self.host) if spoke else None

    def _env(self) -> dict[str, str]:
        env = {
            "BORG_REPO": self.location,
            "BORG_BASE_DIR": str(self.base),
            "BORG_EXIT_CODES": "modern",
            "BORG_FILES_CACHE_TTL": "100",
            "BORG_DISPLAY_PASSPHRASE": "no",
            "BORG_USERNAME": user_name(),
        }
        if self.has_moved:
            env["BORG_RELOCATED_REPO_ACCESS_IS_OK"] = "yes"
        return env | ({"BORG_RSH": self.ssh.command()} if self.ssh else {})


def read_items(lines: Path) -> Iterator[Item]:
    """What `write_items` wrote, one by one."""
    with lines.open(encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            yield parse_item(line)


def _exactly(paths: Sequence[str]) -> list[str]:
    """Paths as patterns that mean just them and what is below: a name may look like another kind of pattern."""
    return [f"pp:{path}" for path in paths]


def _literal(text: str) -> str:
    """Borg fills {placeholders}; ours are plain text."""
    return text.replace("{", "{{").replace("}", "}}")
