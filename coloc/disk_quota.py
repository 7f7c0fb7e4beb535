"""What the kernel's quotas say of every user, as root's one-shot writes it and the daemon reads it.

The kernel tells other users' figures to root alone; the report is how the daemon, which is not root, gets them.
Standard library only, as root's one-shot imports this.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coloc.errors import StateError

REPORT = Path("/run/coloc-agent-quota/report.json")
FRESH = timedelta(hours=1)
_AHEAD = timedelta(minutes=5)  # clocks are set now and then
MOST_USERS = 100_000
_MOST_FILESYSTEMS = 64
_MOST_BYTES = 16 * 1024 * 1024
_MOST = 2**63
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Usage:
    """What a user's files take on a filesystem; folders count as files too."""

    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Report:
    """Every user's usage on each filesystem that counts it, by device number (st_dev) and uid."""

    at: datetime
    filesystems: Mapping[int, Mapping[int, Usage]]


def to_text(report: Report) -> str:
    """The file."""
    filesystems = {
        str(device): {str(uid): [usage.bytes, usage.files] for uid, usage in users.items()}
        for device, users in report.filesystems.items()
    }
    return json.dumps({"at": report.at.astimezone(UTC).isoformat(), "filesystems": filesystems})


def parse_report(text: str) -> Report:
    """The reverse. Raises ValueError for anything else."""
    try:
        data = json.loads(text)
        at = datetime.fromisoformat(data["at"])
        found = {
            _number(device): {_number(uid): Usage(*map(_figure, usage)) for uid, usage in users.items()}
            for device, users in data["filesystems"].items()
        }
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a report of quotas: {error}") from error
    if at.tzinfo is None or len(found) > _MOST_FILESYSTEMS or any(len(users) > MOST_USERS for users in found.values()):
        raise ValueError("a report of quotas out of bounds")
    return Report(at, found)


def read_report(path: Path, now: datetime, *, writer: int = 0) -> Report | None:
    """The report, None when there is none or it is old. Raises StateError for one that root did not write so."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}", hint="run deploy/install.sh again") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != writer or found.st_mode & _WRITABLE_BY_OTHERS:
            raise StateError(f"{path} is not a file that only root writes", hint="remove it; root writes it anew")
        data = file.read(_MOST_BYTES + 1)
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError("too long")
        report = parse_report(data.decode())
    except ValueError as error:
        raise StateError(
            f"{path} is no report of quotas: {error}"[:200], hint="remove it; root writes it anew"
        ) from error
    return report if now - FRESH <= report.at <= now + _AHEAD else None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise ValueError(f"{text[:30]!r} is no number")
    return int(text)


def _figure(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError("a figure out of bounds")
    return value
