"""Requests: what the command line asks of the daemon, one small JSON file each. The daemon decides, then removes it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from coloc.errors import ColocError
from coloc.facts import write_whole

KINDS = frozenset({"ack", "silence"})
_MAX_BYTES = 4096
_MAX_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """Something a person asks for; `values` are texts and numbers, checked by who acts on them."""

    id: str
    kind: str
    values: Mapping[str, str | int | float]


def ask(folder: Path, kind: str, **values: str | int | float) -> None:
    """Leave a request for the daemon. Raises ColocError when its folder is missing or closed to us."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of request: {kind}")
    try:
        write_whole(folder / f"{uuid.uuid4().hex}.json", json.dumps({"kind": kind, "values": values}), mode=0o660)
    except OSError as error:
        raise ColocError(
            f"the agent cannot be asked: {folder}: {error.strerror}",
            hint="is it running (systemctl status coloc-agent), and are you root or in its group?",
        ) from error


def take(folder: Path) -> Iterator[Request]:
    """The requests that wait; each file is removed as it is taken, also when it is not a request."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json"))[:_MAX_WAITING]
    except OSError:
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        request = _read(path)
        path.unlink(missing_ok=True)
        if request is not None:
            yield request


def _read(path: Path) -> Request | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = json.loads(file.read(_MAX_BYTES))
        kind, values = data["kind"], data["values"]
        plain = all(isinstance(key, str) and isinstance(value, str | int | float) for key, value in values.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Request(path.stem, kind, values) if kind in KINDS and plain else None
