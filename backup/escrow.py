"""The recovery sheet: all that opens the repositories, encrypted to each adminsys with `age`, proven by using it alone.

No cryptography of our own: age encrypts, Borg opens. Unencrypted the sheet touches no disk: a proof writes what
programs need into a folder in memory (/dev/shm), closed to others, and removes it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from backup.borg import Repository, Ssh
from backup.hosts import known_hosts_of, open_repository
from backup.journal import Journal
from coloc.command import CommandFailed, Run, run
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import write_whole
from coloc.secrets import Secret, find_secret
from coloc.times import iso, parse_iso

PROVEN_FOR = timedelta(days=30)
_HEAD = """\
# Fiche de secours / recovery sheet: {coloc}, {at}
# Elle ouvre les sauvegardes. À garder ailleurs que sur le serveur et ses hôtes ; ne jamais la laisser en clair.
# It opens the backups. Keep it elsewhere than on the server and its hosts; never leave it unencrypted.
"""
_AGE = "install age (apt install age)"


@dataclass(frozen=True, slots=True)
class SheetHost:
    """All that opens one repository: its place, its passphrase, its key, our ssh key and the host's."""

    repository: str
    repository_id: str
    passphrase: Secret
    borg_key: Secret
    ssh_key: Secret | None = None
    known_hosts: str = ""
    remote_borg: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether what opens the repositories now is in other hands too."""

    ok: bool
    why: str = ""
    is_proof_due: bool = False


def recipients_of(config: Config) -> list[str]:
    """Every adminsys' public keys, as age takes them."""
    return list(dict.fromkeys(key for person in config.adminsys.values() for key in person.age))


def fingerprint(config: Config, journal: Journal) -> str:
    """Changes with anything that the sheet holds or goes to; says nothing of it. Raises ColocError."""
    parts = [config.coloc.name, *sorted(recipients_of(config))]
    for name in sorted(config.backup.hosts):
        repository = open_repository(config, name)
        known = journal.known_at(name)
        key = repository.ssh.key_file.read_text() if repository.ssh else ""
        parts += [name, repository.location, known[1] if known else "", repository.passphrase.reveal(), key]
    return hashlib.scrypt(json.dumps(parts).encode(), salt=b"coloc-agent escrow", n=2**12, r=8, p=1).hex()[:32]


def write_sheet(config: Config, hosts: Mapping[str, SheetHost], now: datetime) -> Secret:
    """The sheet as text: YAML that a person can read."""
    entries = {}
    for name, host in hosts.items():
        entry = {
            "repository": host.repository,
            "repository_id": host.repository_id,
            "passphrase": host.passphrase.reveal(),
            "borg_key": host.borg_key.reveal(),
        }
        if host.ssh_key:
            entry |= {"ssh_key": host.ssh_key.reveal(), "known_hosts": host.known_hosts}
        if host.remote_borg:
            entry["remote_borg"] = host.remote_borg
        entries[name] = entry
    head = _HEAD.format(coloc=config.coloc.name, at=iso(now))
    return Secret(
        head + yaml.safe_dump({"coloc": config.coloc.name, "at": iso(now), "hosts": entries}, sort_keys=False)
    )


def read_sheet(text: Secret) -> dict[str, SheetHost]:
    """The reverse. Raises ColocError for what is no sheet."""
    try:
        data = yaml.safe_load(text.reveal())
        return {
            str(name): SheetHost(
                str(each["repository"]),
                str(each["repository_id"]),
                Secret(str(each["passphrase"])),
                Secret(str(each["borg_key"])),
                Secret(str(each["ssh_key"])) if each.get("ssh_key") else None,
                str(each.get("known_hosts", "")),
                str(each["remote_borg"]) if each.get("remote_borg") else None,
            )
            for name, each in data["hosts"].items()
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise ColocError("this is no recovery sheet", hint="export it again: coloc-agent key export") from None


def sheet_host(config: Config, name: str) -> SheetHost:
    """All that opens one host's repository now. Raises ColocError, BorgError."""
    repository = open_repository(config, name)
    with _private_folder(repository.base) as folder:
        key = _export(repository, folder)
    host, ssh = config.backup.hosts[name], repository.ssh
    return SheetHost(
        repository.location,
        repository.listing().repository_id,
        repository.passphrase,
        key,
        Secret(ssh.key_file.read_text()) if ssh else None,
        known_hosts_of(name, host).read_text() if ssh else "",
        host.remote_borg,
    )


def encrypt(sheet: Secret, recipients: Sequence[str], to: Path, *, run: Run = run) -> None:
    """Write the sheet, encrypted to every recipient. Raises ColocError."""
    if not recipients:
        raise ColocError(
            "no adminsys has a public key in coloc.yml", hint="adminsys: NAME: age: [age1… or a line ssh-ed25519 …]"
        )
    argv = ["age", "--encrypt", "--armor", *(part for each in recipients for part in ("-r", each))]
    try:
        closed = run(argv, timeout=60, stdin=sheet.reveal()).stdout
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(to, closed)
    except CommandFailed as error:
        raise ColocError(f"the sheet cannot be encrypted: {error.hint or error}", hint=_AGE) from None
    except OSError as error:
        raise ColocError(f"{to} cannot be written: {error.strerror}", hint="name another file") from error


def decrypt(file: Path, identity: Path, *, run: Run = run) -> Secret:
    """Open a sheet with a private key. Raises ColocError."""
    try:
        return Secret(run(["age", "--decrypt", "-i", str(identity), "--", str(file)], timeout=60).stdout)
    except CommandFailed as error:
        raise ColocError(f"{file} does not open with {identity}: {error.hint or error}", hint=_AGE) from None


def prover(journal: Journal, *, run: Run = run) -> tuple[Path, str]:
    """Root's own key, to which the sheet is encrypted too, so that the very file is proven: (file, public key)."""
    file = journal.folder / "escrow" / "prover.key"
    try:
        if not file.exists():
            file.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(file, run(["age-keygen"], timeout=30).stdout)
        public = re.search(r"public key: (age1\w+)", file.read_text())
    except CommandFailed as error:
        raise ColocError(f"age-keygen failed: {error.hint or error}", hint=_AGE) from None
    except OSError as error:
        raise ColocError(f"{file} cannot be used: {error.strerror}", hint="run it as root") from error
    if public is None:
        raise ColocError(f"{file} is no key of age", hint="remove it, then: coloc-agent key export")
    return file, public[1]


def prove(hosts: Mapping[str, SheetHost], beside: Path) -> dict[str, str]:
    """Open every repository with what the sheet holds and nothing else. host → "" or why not."""
    return {name: _prove_one(name, host, beside) for name, host in hosts.items()}


def _prove_one(name: str, host: SheetHost, beside: Path) -> str:
    try:
        with _private_folder(beside) as folder:
            repository = from_sheet(name, host, folder)
            if repository.listing().repository_id != host.repository_id:
                return f"{name}: another repository lies there"
            same = _export(repository, folder).reveal().split() == host.borg_key.reveal().split()
            return "" if same else f"{name}: the key in the sheet is not the repository's"
    except ColocError as error:
        return error.sentence()


def from_sheet(name: str, host: SheetHost, folder: Path) -> Repository:
    """The repository as the sheet alone describes it; what programs need as files lies in `folder`."""
    ssh = None
    if host.ssh_key:
        ssh = Ssh(folder / "key", folder / "known_hosts")
        write_whole(ssh.key_file, host.ssh_key.reveal())
        write_whole(ssh.known_hosts_file, host.known_hosts)
    base = folder / "borg"
    base.mkdir(mode=0o700)
    return Repository(name, host.repository, host.passphrase, base, ssh=ssh, remote_borg=host.remote_borg, lock_wait=60)


def _export(repository: Repository, folder: Path) -> Secret:
    file = folder / "exported"
    file.touch(mode=0o600)
    repository.base.mkdir(parents=True, exist_ok=True, mode=0o700)
    repository.export_key(file)
    return Secret(file.read_text())


@contextmanager
def _private_folder(beside: Path) -> Iterator[Path]:
    """In memory where the system has such a place (/dev/shm), else beside root's own things."""
    shared = Path("/dev/shm")  # noqa: S108 - the folder below is ours alone
    beside.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="coloc-escrow-", dir=shared if shared.is_dir() else beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remember(journal: Journal, what: str, value: str, now: datetime) -> None:
    """what: "escrow" (the fingerprint that was exported) or "escrow-proven"."""
    journal.ask("INSERT OR REPLACE INTO self VALUES (?, ?)", (what, json.dumps([value, iso(now)])))


def standing(fingerprint_now: str, remembered: Mapping[str, str], now: datetime) -> Standing:
    """What is to be said of the escrow. Pure; `remembered`: the rows of `remember` by name."""
    exported = _row(remembered.get("escrow"))
    proven = _row(remembered.get("escrow-proven"))
    if exported is None:
        return Standing(False, "what opens the backups was never given to anybody: coloc-agent key export")
    if exported[0] != fingerprint_now:
        return Standing(False, "a key, a passphrase, a host or an adminsys has changed since: coloc-agent key export")
    due = proven is None or proven[0] != fingerprint_now or not now - PROVEN_FOR <= proven[1] <= now
    return Standing(True, "", due)


def _row(text: str | None) -> tuple[str, datetime] | None:
    if text is None:
        return None
    value, at = json.loads(text)
    return str(value), parse_iso(str(at))


def remembered(journal: Journal) -> dict[str, str]:
    """What root knows of exports and proofs."""
    return {row[0]: row[1] for row in journal.ask("SELECT key, value FROM self WHERE key LIKE 'escrow%'")}


def secret_file(config: Config, name: str) -> Path:
    """Where the passphrase of a host lies. Raises ConfigError."""
    return find_secret(f"passphrase-{name}", config.backup.hosts[name].passphrase_file or config.backup.passphrase_file)
