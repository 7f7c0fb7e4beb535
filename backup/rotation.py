"""Other secrets when an adminsys leaves: passphrases of repositories, our ssh key. What was cut can be gone on with.

Rules. The new secret lies beside the old one (`FILE.new`) before anything changes, and takes its place only when every
repository has opened with it. All repositories behind one passphrase file change together, or none: what had changed is
changed back when one fails. What a cut left half done is finished by the next call.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path

from backup.borg import Repository, Ssh
from backup.borg_errors import WrongPassphrase
from backup.escrow import secret_file
from backup.hosts import open_repository
from coloc.command import Run, run
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import write_whole
from coloc.secrets import Secret, read_secret


def hosts_behind(config: Config, host: str) -> list[str]:
    """The hosts that open with the same passphrase file."""
    file = secret_file(config, host)
    return [name for name in config.backup.hosts if secret_file(config, name) == file]


def rotate_passphrase(config: Config, host: str, *, run: Run = run) -> list[str]:
    """A new passphrase for a host and those that share its file; their names. Raises ColocError: nothing changed."""
    file = secret_file(config, host)
    new_file = file.with_name(f"{file.name}.new")
    _require_writable(file)
    old, new = read_secret(file), _new_secret(new_file)
    repositories = {name: open_repository(config, name, run=run) for name in hosts_behind(config, host)}
    has_new = {name: _opens_with_new(each, old, new) for name, each in repositories.items()}
    changed: list[Repository] = []
    try:
        for name, repository in repositories.items():
            if not has_new[name]:
                changed.append(repository)
                replace(repository, passphrase=old).change_passphrase(new)
            replace(repository, passphrase=new).listing()
    except ColocError as error:
        _change_back(changed, old, new, new_file, any(has_new.values()))
        raise ColocError(
            f"no passphrase was changed: {error}", hint="mend that host, or take it out of coloc.yml; then try again"
        ) from error
    new_file.rename(file)
    _sync(file.parent)
    return list(repositories)


def _opens_with_new(repository: Repository, old: Secret, new: Secret) -> bool:
    """False when the old one opens it; True when a cut rotation has changed it already. Raises BorgError."""
    try:
        replace(repository, passphrase=old).listing()
    except WrongPassphrase:
        replace(repository, passphrase=new).listing()
        return True
    return False


def _change_back(changed: list[Repository], old: Secret, new: Secret, new_file: Path, was_cut: bool) -> None:
    stuck = []
    for repository in changed:
        try:
            if _opens_with_new(repository, old, new):
                replace(repository, passphrase=new).change_passphrase(old)
        except ColocError:
            stuck.append(repository.host)
    if stuck or was_cut:  # the new passphrase is needed still
        raise ColocError(
            f"the passphrase was changed at some hosts and not at {', '.join(stuck) or 'others'}",
            hint=f"nothing is lost: {new_file} holds the new one; run this again when every host answers",
        )
    new_file.unlink(missing_ok=True)


def _new_secret(file: Path) -> Secret:
    """The one that a cut rotation left, or a fresh one: 32 letters, 190 bits."""
    if file.exists():
        return read_secret(file)
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    fresh = Secret("".join(secrets.choice(letters) for _ in range(32)))
    try:
        write_whole(file, f"{fresh.reveal()}\n")
    except OSError as error:
        raise ColocError(f"{file} cannot be written: {error.strerror}", hint="run it as root") from error
    return fresh


def new_ssh_key(repository: Repository, *, run: Run = run) -> str:
    """A new key beside the one of this host, made once; its public half, for the owner. Raises ColocError."""
    file = _new_key_file(repository)
    if not file.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "coloc-agent", "-f", str(file)], timeout=60)
    return file.with_name(f"{file.name}.pub").read_text().strip()


def take_ssh_key(repository: Repository) -> None:
    """The new key takes the place of the old one, if the host lets it in. Raises BorgError: the old one stays."""
    file, ssh = _new_key_file(repository), repository.ssh
    assert ssh is not None
    replace(repository, ssh=Ssh(file, ssh.known_hosts_file)).listing()
    public = file.with_name(f"{file.name}.pub")
    file.rename(ssh.key_file)
    public.rename(ssh.key_file.with_name(f"{ssh.key_file.name}.pub"))
    _sync(ssh.key_file.parent)


def has_new_key(repository: Repository) -> bool:
    """True while a new key waits for its owner."""
    return repository.ssh is not None and _new_key_file(repository).exists()


def _new_key_file(repository: Repository) -> Path:
    if repository.ssh is None:
        raise ColocError(f"{repository.host} is a folder: it has no ssh key", hint="nothing is to be done")
    return repository.ssh.key_file.with_name(f"{repository.ssh.key_file.name}.new")


def _require_writable(file: Path) -> None:
    if os.environ.get("CREDENTIALS_DIRECTORY") and str(file).startswith(os.environ["CREDENTIALS_DIRECTORY"]):
        raise ColocError(
            f"{file} is a credential of systemd", hint="run this by hand, with passphrase_file in coloc.yml"
        )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
