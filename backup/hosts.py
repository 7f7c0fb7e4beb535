"""From the backup hosts of coloc.yml to repositories, and whether each one answers. Secrets are read here, once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backup.borg import Repository, Ssh
from backup.borg_errors import RepositoryMissing, RepositoryReplaced
from backup.borg_output import Listing
from backup.journal import Journal, open_journal
from backup.run_lock import run_lock_holder
from coloc.command import Run, run
from coloc.config.backups import BackupHost
from coloc.config.whole import Config
from coloc.errors import ColocError, ConfigError
from coloc.secrets import find_secret, read_secret


@dataclass(frozen=True, slots=True)
class HostCheck:
    """How a backup host answered; `sentence` says it to people. free_bytes: of a folder's disk, None when unknown."""

    host: str
    ok: bool
    sentence: str
    free_bytes: int | None = None


def repositories_of(config: Config, *, run: Run = run) -> dict[str, Repository]:
    """Every host's repository. Raises ColocError for the first host that lacks a secret."""
    return {name: open_repository(config, name, run=run) for name in config.backup.hosts}


def open_repository(
    config: Config, name: str, *, run: Run = run, lock_wait: int = 300, key_file: Path | None = None
) -> Repository:
    """One host's repository; nothing is called yet. Raises ColocError when a secret or key is missing.

    key_file: another ssh key than the host's usual one.
    """
    if name not in config.backup.hosts:
        known = ", ".join(config.backup.hosts) or "none is in coloc.yml"
        raise ConfigError(f"there is no backup host {name!r}", hint=f"the hosts are: {known}")
    host = config.backup.hosts[name]
    if "{" in host.repository or "::" in host.repository:
        raise ConfigError(f"{name}: {host.repository} holds {{ or ::, which mean something to Borg", hint="rename it")
    file = host.passphrase_file or config.backup.passphrase_file
    passphrase = read_secret(find_secret(f"passphrase-{name}", file))
    base = config.paths.journal / "borg"
    return Repository(
        name,
        host.repository,
        passphrase,
        base,
        ssh=_ssh(name, host, key_file) if host.ssh else None,
        remote_borg=host.remote_borg,
        lock_wait=lock_wait,
        upload_limit=host.upload_limit,
        run=run,
    )


def refuse_append_only(config: Config, name: str) -> None:
    """Raises ColocError for a host where our usual key frees nothing: what it deletes there only looks deleted."""
    if config.backup.hosts[name].append_only:
        raise ColocError(
            f"{name}: is append-only, nothing is deleted there with our usual key",
            hint=f"with the maintenance key in its place: coloc-agent prune --host {name} --maintenance",
        )


def open_known(repository: Repository, journal: Journal | None) -> Listing:
    """Ask a repository for its list; it must be the one that the journal knows, if it knows one. Raises BorgError."""
    known = _known_id(repository, journal) if journal else None
    try:
        found = repository.listing()
    except RepositoryMissing as error:
        if known is None:
            raise
        raise RepositoryReplaced(
            f"{repository.host}: the repository that we know is gone",
            hint=f"is its disk mounted? if it is lost: coloc-agent backup --new-repository {repository.host}",
        ) from error
    if known is not None and found.repository_id != known:
        raise RepositoryReplaced(
            f"{repository.host}: another repository lies where ours was",
            hint=f"ask its owner; if you know why: coloc-agent backup --new-repository {repository.host}",
        )
    return found


def _known_id(repository: Repository, journal: Journal) -> str | None:
    """Raises RepositoryReplaced for a host that is known at another address: a person says that it moved."""
    known = journal.known_at(repository.host)
    if known is None:
        return None
    if known[0] != repository.location:
        raise RepositoryReplaced(
            f"{repository.host}: coloc.yml names {repository.location}, and its repository is known at {known[0]}",
            hint=f"did it move? coloc-agent host move {repository.host} --to {repository.location};"
            f" is it a new one? coloc-agent backup --new-repository {repository.host}",
        )
    return known[1]


def hosts_named(config: Config, names: Sequence[str] | None) -> list[str]:
    """The hosts that a run concerns. Raises ConfigError for an unknown one, and when there is none at all."""
    for name in names or ():
        if name not in config.backup.hosts:
            known = ", ".join(config.backup.hosts) or "none"
            raise ConfigError(f"there is no backup host {name!r}", hint=f"hosts in coloc.yml: {known}")
    chosen = list(dict.fromkeys(names)) if names else list(config.backup.hosts)
    if not chosen:
        raise ConfigError("coloc.yml names no backup host", hint="add one below backup: hosts:")
    return chosen


def check_hosts(config: Config, *, run: Run = run) -> list[HostCheck]:
    """Try every host: does it answer, and does the passphrase open the repository? Writes nothing there."""
    names = list(config.backup.hosts)
    if not names:
        return []
    with (
        _journal_if_any(config) as journal,
        ThreadPoolExecutor(max_workers=min(8, len(names)), thread_name_prefix="check-host") as pool,
    ):
        return list(pool.map(lambda name: check_host(config, name, journal, run=run), names))


@contextmanager
def _journal_if_any(config: Config) -> Iterator[Journal | None]:
    """What root remembers; nothing before the first backup, or for who is not root."""
    if not os.access(config.paths.journal / "backups.db", os.R_OK | os.W_OK):
        yield None
        return
    journal = open_journal(config.paths.journal)
    try:
        yield journal
    finally:
        journal.close()


def check_host(config: Config, name: str, journal: Journal | None, *, run: Run = run) -> HostCheck:
    """One host; a repository that is still to be made is fine when its place is."""
    free = free_bytes(config.backup.hosts[name])
    try:
        repository = open_repository(config, name, run=run, lock_wait=5)
        repository.base.mkdir(parents=True, exist_ok=True, mode=0o700)
        open_known(repository, journal)
    except RepositoryMissing as error:
        if why := _why_no_place(config.backup.hosts[name].path):
            return HostCheck(name, False, f"{name}: {why} — {error.hint}", free)
        return HostCheck(name, True, f"{name}: answers; the first backup will make the repository", free)
    except ColocError as error:
        text = error.sentence()
        return HostCheck(name, False, text if text.startswith(name) else f"{name}: {text}", free)
    except OSError as error:
        why = f"{name}: {config.paths.journal} cannot be written: {error.strerror} — run it as root"
        return HostCheck(name, False, why, free)
    return HostCheck(name, True, f"{name}: answers, and the passphrase opens the repository", free)


def who_locks(config: Config, name: str) -> str:
    """Who works on a host's repository, as far as can be seen from here; "" when that is nobody, or cannot be known."""
    if holder := run_lock_holder(config.paths.journal):
        return holder
    path = config.backup.hosts[name].path
    try:
        # Borg names its holder by a file: computer@number, process, thread.
        return ", ".join(sorted(entry.name for entry in os.scandir(path / "lock.exclusive"))) if path else ""
    except OSError:
        return ""


def _why_no_place(path: Path | None) -> str:
    """Why a repository cannot be made in a folder; "" when it can, or when only the host itself could say."""
    if path is None:
        return ""
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    if path.is_dir() and any(path.iterdir()):
        return f"{path} holds other files and no repository"
    return ""


def free_bytes(host: BackupHost) -> int | None:
    """Room left where a folder's repository lies; None for a server of a friend, or a folder that is gone."""
    if host.path is None:
        return None
    for folder in (host.path, host.path.parent):
        try:
            stat = os.statvfs(folder)
        except OSError:
            continue
        return stat.f_bavail * stat.f_frsize
    return None


def known_hosts_of(name: str, host: BackupHost) -> Path:
    """The file that holds the host keys we know of this host."""
    return host.known_hosts_file or find_secret(f"ssh-key-{name}", host.key_file).parent / "known_hosts"


def _ssh(name: str, host: BackupHost, other_key: Path | None) -> Ssh:
    key = other_key or find_secret(f"ssh-key-{name}", host.key_file)
    known = known_hosts_of(name, host)
    for file, what, hint in (
        (
            key,
            "the ssh key",
            f"make one: ssh-keygen -t ed25519 -N '' -f {key}, and give its .pub to the owner of {name}",
        ),
        (known, "the list of known host keys", f"make it with ssh-keyscan, after comparing with the owner of {name}"),
    ):
        if not _readable(file):
            raise ConfigError(f"{name}: {what} {file} cannot be read", hint=hint)
    if key.stat().st_mode & 0o077:  # ssh would leave it aside, and the host would seem to refuse us
        raise ConfigError(f"{name}: the ssh key {key} can be read by others", hint=f"run: chmod 600 {key}")
    return Ssh(key, known)


def _readable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.R_OK)
