"""Requests: what the command line asks of the daemon, one small JSON file each.

The daemon decides, writes that down, then removes the file: killed in between, it knows the request by its id.
"""

from __future__ import annotations

import json
import math
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from coloc.errors import ColocError
from coloc.facts import write_whole

KINDS = frozenset({"ack", "silence", "quiet", "unquiet", "test", "quota_release", "maintenance"})
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
        write_whole(
            folder / f"{time.time_ns():020d}-{uuid.uuid4().hex}.json",
            json.dumps({"kind": kind, "values": values}),
            mode=0o660,
        )
    except OSError as error:
        raise ColocError(
            f"the agent cannot be asked: {folder}: {error.strerror}",
            hint="is it running (systemctl status coloc-agent), and are you root or in its group?",
        ) from error


def waiting(folder: Path) -> list[Request]:
    """The requests that wait, in the order they were asked, a thousand at most; what is no request is removed."""
    try:
        entries = (entry.name for entry in os.scandir(folder))
        names = sorted(name for name in entries if name.endswith(".json") and not name.startswith("."))[:_MAX_WAITING]
    except OSError:
        return []
    found = []
    for name in names:
        request = _read(folder / name)
        if request is None:
            with suppress(OSError):  # a folder, or somebody else was quicker
                (folder / name).unlink()
        else:
            found.append(request)
    return found


def remove(folder: Path, requests: Iterable[Request]) -> None:
    """They were obeyed, and that is written down: one that cannot be removed is known by its id."""
    for request in requests:
        with suppress(OSError):
            (folder / f"{request.id}.json").unlink()


def _read(path: Path) -> Request | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = json.loads(file.read(_MAX_BYTES))
        kind, values = data["kind"], data["values"]
        plain = {_text(key): _plain(value) for key, value in values.items()}
        known = kind in KINDS
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Request(path.stem, kind, plain) if known else None


def _plain(value: object) -> str | int | float:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError("not a plain value")


def _text(text: str) -> str:
    """What people may write: no control characters, which a log or a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in text.encode("utf-8", "replace").decode())
