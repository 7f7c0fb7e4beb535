"""The host key of a friend's server: fetched, shown as fingerprints, and written down once a person has compared it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from coloc.command import CommandFailed, Run, run
from coloc.errors import ColocError
from coloc.facts import write_whole


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What a server shows: lines for known_hosts, and their fingerprints as its owner sees them."""

    lines: tuple[str, ...]
    fingerprints: tuple[str, ...]


def fetch_host_keys(url: str, *, run: Run = run) -> HostKeys:
    """Ask a server for its keys. They prove nothing before a person has compared them. Raises ColocError."""
    place = urlsplit(url)
    if place.scheme != "ssh" or not place.hostname or place.hostname.startswith("-"):
        raise ColocError(f"{url} is no ssh://user@host:port/path", hint="write it as in coloc.yml")
    port = ["-p", str(place.port)] if place.port else []
    try:
        shown = run(["ssh-keyscan", "-T", "20", *port, "--", place.hostname], timeout=60)
        lines = tuple(sorted(line for line in shown.stdout.splitlines() if line and not line.startswith("#")))
        if not lines:
            raise ColocError(f"{place.hostname} shows no host key", hint="is it up, and is the port right?")
        printed = run(["ssh-keygen", "-l", "-f", "-"], timeout=20, stdin="\n".join(lines) + "\n")
    except CommandFailed as error:
        raise ColocError(f"{place.hostname} shows no host key", hint="is it up, and is the port right?") from error
    return HostKeys(lines, tuple(line.split()[1] for line in printed.stdout.splitlines() if len(line.split()) > 1))


def pin(file: Path, keys: Sequence[str]) -> None:
    """Add keys to a known_hosts; older keys of the same address go, so that only what was compared counts."""
    names = {line.split()[0] for line in keys}
    try:
        before = file.read_text().splitlines() if file.exists() else []
        kept = [line for line in before if line.split()[:1] and line.split()[0] not in names]
        write_whole(file, "\n".join([*kept, *keys]) + "\n", mode=0o600)
    except OSError as error:
        raise ColocError(f"{file} cannot be written: {error.strerror}", hint="run it as root") from error
