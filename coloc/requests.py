"""Requests: what the command line asks of the daemon, one small JSON file each. The daemon decides, then removes it."""

from __future__ import annotations

import json
import math
import os
import time
import uuid
from collections.abc import Iterator, Mapping
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


def take(folder: Path) -> Iterator[Request]:
    """The requests that wait; each file is removed as it is taken, also when it is not a request."""
    try:
        entries = (entry.name for entry in os.scandir(folder))
        names = sorted(name for name in entries if name.endswith(".json") and not name.startswith("."))[:_MAX_WAITING]
    except OSError:
        return
    for name in names:
        path = folder / name
        request = _read(path)
        try:
            path.unlink()
        except OSError:
            continue  # a folder, or somebody else took it: what cannot be removed would be obeyed for ever
        if request is not None:
            yield request


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
