"""What can go wrong with Borg, as one sentence and what to do: decided on `msgid` first, then on words, then the code.

Borg 1.2 gives the same codes to everything, and ssh's own failures all look alike: the `Remote:` lines tell them apart.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Sequence
from dataclasses import dataclass

from coloc.errors import ColocError


@dataclass(frozen=True, slots=True)
class Said:
    """One line that Borg wrote on stderr: a log message, or text that is not JSON (then the level is "TEXT")."""

    level: str
    text: str
    msgid: str = ""


class BorgError(ColocError):
    """Borg did not do what was asked."""


class HostDown(BorgError):
    """The backup host does not answer, or hangs up."""


class HostRefused(BorgError):
    """The backup host answers and does not let us in: key, account, host key."""


class NoBorgThere(BorgError):
    """The backup host has no working borg."""


class PathRefused(BorgError):
    """The backup host does not serve this path to our key."""


class WrongPassphrase(BorgError):
    """The repository does not open with our passphrase."""


class RepositoryLocked(BorgError):
    """Somebody else works on the repository, or died far away while doing so."""


class RepositoryFull(BorgError):
    """No room left where the repository lies, or here for Borg's cache."""


class QuotaExceeded(BorgError):
    """The backup host gave us less room than we need."""


class NotWritable(BorgError):
    """The repository, or Borg's own folder here, may not be written by us: rights, or a disk mounted read-only."""


class RepositoryMissing(BorgError):
    """There is no repository where the configuration says."""


class RepositoryReplaced(BorgError):
    """There is a repository, and it is not the one that we knew."""


class RepositoryDamaged(BorgError):
    """The repository or an archive in it cannot be read whole."""


class ArchiveMissing(BorgError):
    """The repository has no such archive."""


class ArchiveExists(BorgError):
    """The repository has an archive of that name already."""


class SourceMissing(BorgError):
    """A file or folder that was to be saved could not be read: the archive, if any, is not whole."""


class ContentFailed(BorgError):
    """The program whose output was to be saved failed; Borg kept nothing of it."""


class Stopped(BorgError):
    """Borg was ended by us: no progress, too long, or asked to."""


# Nothing is learnt of a repository or an archive by these: we did not get in, or did not get to the end.
NOTHING_LEARNT = (
    HostDown,
    HostRefused,
    NoBorgThere,
    PathRefused,
    WrongPassphrase,
    RepositoryLocked,
    NotWritable,
    RepositoryMissing,
    RepositoryReplaced,
    Stopped,
)


_LOCK_HINT = (
    "see who uses it (`coloc-agent archives` from elsewhere?) and try again; only when nobody does: borg break-lock"
)
_KINDS: dict[str, tuple[type[BorgError], str, str]] = {
    "PassphraseWrong": (
        WrongPassphrase,
        "the passphrase does not open the repository",
        "check passphrase_file of this host in coloc.yml; the archives are untouched",
    ),
    "LockTimeout": (RepositoryLocked, "the repository is locked by somebody else", _LOCK_HINT),
    "StorageQuotaExceeded": (
        QuotaExceeded,
        "the quota of the repository is used up",
        "ask its owner for more room, or keep fewer archives (backup.keep) and run `coloc-agent prune`",
    ),
    "PathNotAllowed": (
        PathRefused,
        "the host does not serve this path to our key",
        "compare `ssh:` in coloc.yml with what its owner gave you (borg serve --restrict-to-repository)",
    ),
    "DoesNotExist": (
        RepositoryMissing,
        "there is no repository there",
        "is its disk mounted? the first `coloc-agent backup` makes it",
    ),
    "ParentPathDoesNotExist": (
        RepositoryMissing,
        "the folder that should hold the repository does not exist",
        "is its disk mounted? make the folder, or correct the path in coloc.yml",
    ),
    "PathAlreadyExists": (
        PathRefused,
        "there are other files where the repository should be",
        "name an empty or new folder in coloc.yml",
    ),
    "InvalidRepository": (RepositoryMissing, "what lies there is no repository", "correct the path in coloc.yml"),
    "RepositoryReplay": (
        RepositoryReplaced,
        "the repository is older than what we wrote last: it was rolled back",
        "ask its owner; nothing was written, other hosts go on",
    ),
    "RepositoryIDNotUnique": (RepositoryReplaced, "the repository was replaced by another", "ask its owner"),
    "EncryptionMethodMismatch": (
        RepositoryReplaced,
        "the repository was replaced by one with other encryption",
        "ask its owner; nothing was written",
    ),
    "RepositoryAccessAborted": (
        RepositoryReplaced,
        "the repository moved, or was replaced by another",
        "ask its owner; nothing was written",
    ),
    "Archive.DoesNotExist": (ArchiveMissing, "there is no such archive", "list them with `coloc-agent archives`"),
    "Archive.AlreadyExists": (ArchiveExists, "an archive of that name exists already", "run it again"),
    "CommandError": (ContentFailed, "the dump failed, and nothing of it was kept", "see the dump's own words"),
    "BackupFileNotFoundError": (SourceMissing, "a file vanished while it was saved", "run it again"),
    "BackupPermissionError": (SourceMissing, "a file may not be read", "run it as root"),
    "BackupIOError": (SourceMissing, "a file cannot be read", "check the disk (dmesg)"),
    "BackupOSError": (SourceMissing, "a file cannot be read", "check the disk (dmesg)"),
    "ConnectionBrokenWithHint": (
        HostDown,
        "the connection broke",
        "try again; the next run sends only what is missing",
    ),
    "ConnectionClosed": (HostDown, "the host hung up", "try again; the next run sends only what is missing"),
    "UnexpectedRPCDataFormatFromServer": (
        NoBorgThere,
        "the host speaks, but not Borg",
        "does its shell print a welcome?",
    ),
    "InvalidRPCMethod": (NoBorgThere, "the host's borg is too old", "borg 1.2 or newer is needed there"),
    "RPCServerOutdated": (NoBorgThere, "the host's borg is too old", "borg 1.2 or newer is needed there"),
    "InsufficientFreeSpaceError": (
        RepositoryFull,
        "the disk of the repository is full",
        "free 1 GB there, or keep fewer archives; the old ones are untouched",
    ),
    "CheckNeeded": (RepositoryDamaged, "the repository needs a check", "run `borg check` on it, without --repair"),
    "IntegrityError": (
        RepositoryDamaged,
        "the repository is damaged",
        "run `borg check`, without --repair; use another host",
    ),
    "ObjectNotFound": (RepositoryDamaged, "a piece of the repository is missing", "run `borg check`, without --repair"),
}
_WORDS: tuple[tuple[str, type[BorgError], str, str], ...] = (
    (
        "host key verification failed",
        HostRefused,
        "the host is not the one whose key we know",
        "compare it with its owner, then correct known_hosts (ssh-keyscan)",
    ),
    ("unprotected private key", HostRefused, "ssh leaves our key aside: others may read it", "chmod 600 key_file"),
    ("error in libcrypto", HostRefused, "our ssh key cannot be read", "is key_file the private key, and whole?"),
    ("invalid format", HostRefused, "our ssh key cannot be read", "is key_file the private key, and whole?"),
    ("permission denied (", HostRefused, "the host does not accept our ssh key", "give our public key to its owner"),
    ("connection refused", HostDown, "the host refuses connections", "is it up, and is the port right?"),
    ("could not resolve", HostDown, "the host's name is unknown", "check the name in coloc.yml and the DNS"),
    ("timed out", HostDown, "the host does not answer", "is it up? other hosts go on"),
    ("timeout, server", HostDown, "the host stopped answering", "is it up? the next run sends only what is missing"),
    ("no route to host", HostDown, "there is no way to the host", "is it up? other hosts go on"),
    ("network is unreachable", HostDown, "there is no way to the host", "check our own network"),
    ("connection reset", HostDown, "the host hung up", "try again later"),
    ("connection closed by", HostDown, "the host hung up", "try again later"),
    ("borg: not found", NoBorgThere, "the host has no borg", "install it there, or set remote_borg"),
    ("command not found", NoBorgThere, "the host has no borg", "install it there, or set remote_borg"),
    (
        "no such file or directory",
        NoBorgThere,
        "the host has no borg at remote_borg",
        "correct remote_borg in coloc.yml",
    ),
)
_CLOSED = re.compile(r"\[Errno (?:13|30)\] [^:']*(?:: '(?P<path>/[^']*)')?")
_DISK_FULL = ("No space left on device", "[Errno 28]", "Insufficient free space")


def failure(said: Sequence[Said], code: int, where: str) -> BorgError:
    """The error that Borg's words and exit code mean; `where` names the host in the sentence."""
    texts = [line.text for line in said]
    if any(word in text for text in texts for word in _DISK_FULL):
        kind, what, hint = _KINDS["InsufficientFreeSpaceError"]
        here = "" if any("Remote" in text for text in texts) else " (or ours, below paths.journal)"
        return kind(f"{where}: {what}{here}", hint=hint)
    if closed := _not_writable(said, where):
        return closed
    for line in said:
        known = _KINDS.get(line.msgid) or _KINDS.get(line.msgid.rpartition(".")[2])
        if line.level != "INFO" and known and not line.msgid.startswith("Exception"):
            kind, what, hint = known
            detail = f" ({printable(line.text)})" if kind in _TOLD else ""
            return kind(f"{where}: {what}{detail}", hint=hint)
    if any(line.msgid == "ConnectionClosedWithHint" for line in said):
        return _hung_up(texts, where)
    return _by_words(said, code, where)


def _not_writable(said: Sequence[Said], where: str) -> BorgError | None:
    """What Borg calls LockFailed, or does not foresee at all: its own traceback is no sentence."""
    for line in said:
        found = _CLOSED.search(line.text) if line.level in {"ERROR", "CRITICAL", "TEXT"} else None
        if found:
            what = printable((found["path"] or "the repository").partition("/lock.")[0])
            hint = "is its disk mounted read-only? else give the folder to that user (chown), or run it as root"
            return NotWritable(f"{where}: {what} cannot be written by {user_name()}", hint=hint)
    return None


def user_name() -> str:
    """Who we are. An account may have no name (in a container, say): then it is its number."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


_TOLD = (SourceMissing, ArchiveMissing, ContentFailed, RepositoryDamaged)


def what_ssh_means(texts: Sequence[str], where: str) -> BorgError | None:
    """The error that ssh's own words mean; None when they say nothing that we know."""
    for words, kind, what, hint in _WORDS:
        if any(words in text.lower() and "identity file" not in text.lower() for text in texts):
            return kind(f"{where}: {what}", hint=hint)
    return None


def _hung_up(texts: Sequence[str], where: str) -> BorgError:
    remote = [text.removeprefix("Remote: ") for text in texts if text.startswith("Remote: ")]
    known = what_ssh_means(remote, where)
    if known is not None:
        return known
    last = f" ({printable(remote[-1])})" if remote else ""
    return HostDown(f"{where}: the host hung up{last}", hint="is borg working there? try `ssh` by hand with our key")


def _by_words(said: Sequence[Said], code: int, where: str) -> BorgError:
    """Borg 1.2 and bugs: no msgid that we know."""
    for line in said:
        if "quota" in line.text.lower() and "exceeded" in line.text.lower():
            kind, what, hint = _KINDS["StorageQuotaExceeded"]
            return kind(f"{where}: {what}", hint=hint)
        if line.text.startswith("Command '") and "exited with status" in line.text:
            kind, what, hint = _KINDS["CommandError"]
            return kind(f"{where}: {what} ({printable(line.text)})", hint=hint)
        if "[Errno 2]" in line.text and line.level == "WARNING":
            kind, what, hint = _KINDS["BackupFileNotFoundError"]
            return kind(f"{where}: {what} ({printable(line.text)})", hint=hint)
    if code < 0:
        hint = "was memory short (dmesg)? run it again"
        return BorgError(f"{where}: borg was killed (signal {-code})", hint=hint)
    loud = [line for line in said if line.level in {"ERROR", "CRITICAL", "TEXT", "WARNING"}]
    told = f": {printable(loud[0].text)}" if loud else ""
    return BorgError(f"{where}: borg ended with code {code}{told}", hint="run `coloc-agent check`")


def printable(text: str) -> str:
    """Foreign words (file names above all) on one line, short, without what a terminal would obey."""
    line = " ".join(text.split())[:200]
    return "".join(letter if letter.isprintable() else "?" for letter in line)
