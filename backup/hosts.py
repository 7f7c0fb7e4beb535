"""From the backup hosts of coloc.yml to repositories, and whether each one answers. Secrets are read here, once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from backup.borg import Repository, Ssh
from backup.borg_errors import RepositoryMissing
from coloc.command import Run, run
from coloc.config import BackupHost, Config
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


def open_repository(config: Config, name: str, *, run: Run = run, lock_wait: int = 300) -> Repository:
    """One host's repository; nothing is called yet. Raises ColocError when a secret or key is missing."""
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
        ssh=_ssh(name, host) if host.ssh else None,
        remote_borg=host.remote_borg,
        lock_wait=lock_wait,
        run=run,
    )


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
    with ThreadPoolExecutor(max_workers=min(8, len(names)), thread_name_prefix="check-host") as pool:
        return list(pool.map(lambda name: check_host(config, name, run=run), names))


def check_host(config: Config, name: str, *, run: Run = run) -> HostCheck:
    """One host; a repository that is still to be made is fine when its place is."""
    free = free_bytes(config.backup.hosts[name])
    try:
        repository = open_repository(config, name, run=run, lock_wait=5)
        repository.base.mkdir(parents=True, exist_ok=True, mode=0o700)
        repository.listing()
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


def _ssh(name: str, host: BackupHost) -> Ssh:
    key = find_secret(f"ssh-key-{name}", host.key_file)
    known = host.known_hosts_file or key.parent / "known_hosts"
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
    return Ssh(key, known)


def _readable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.R_OK)
