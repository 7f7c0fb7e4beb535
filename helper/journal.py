"""What the helper holds and why, in root's own folder: written before each order and after it, so no kill loses it.

Also what people confirmed: `coloc-agent quota confirm`, run by root, writes it; nobody else can.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from coloc.errors import StateError
from coloc.facts import write_whole
from coloc.verbs import Held, held_data, held_from

HELD = "held.json"
CONFIRMED = "confirmed.json"
CONFIRMED_FOR = timedelta(days=7)
_MAX_BYTES = 4 * 1024 * 1024

Consent = tuple[str, str, str, str]  # project, app, resource, step


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other helper, and no command of root's, is at work here. Raises StateError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateError(f"{folder} cannot be used: {error.strerror}", hint="run deploy/install.sh again") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_held(folder: Path) -> dict[tuple[str, str, str], Held]:
    """What was ordered and not given back. Raises StateError for a file that cannot be read."""
    try:
        found = [held_from(each) for each in _read(folder / HELD)]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / HELD, error) from error
    return {each.key: each for each in found}


def write_held(folder: Path, held: Iterable[Held]) -> None:
    """All of it, at once. Raises StateError: what cannot be written down is not done."""
    _write(folder / HELD, [held_data(each) for each in held])


def read_confirmed(folder: Path, now: datetime) -> frozenset[Consent]:
    """What a human has agreed to within the last seven days."""
    found = set()
    try:
        for each in _read(folder / CONFIRMED):
            age = now - datetime.fromisoformat(each["at"])
            if timedelta(0) <= age < CONFIRMED_FOR:
                found.add((each["project"], each["app"], each["resource"], each["step"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / CONFIRMED, error) from error
    return frozenset(found)


def confirm(folder: Path, consent: Consent, now: datetime, by: str) -> None:
    """Write down that a human agreed. What is older than its week goes. Raises StateError."""
    kept = [each for each in _read(folder / CONFIRMED) if _is_fresh(each, now)]
    project, app, resource, step = consent
    entry = {"project": project, "app": app, "resource": resource, "step": step, "at": now.isoformat(), "by": by}
    _write(folder / CONFIRMED, [*kept, entry])


def _is_fresh(entry: Mapping[str, Any], now: datetime) -> bool:
    try:
        return timedelta(0) <= now - datetime.fromisoformat(entry["at"]) < CONFIRMED_FOR
    except (KeyError, TypeError, ValueError):
        return False


def _read(path: Path) -> list[Any]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(found, list):
        raise _damaged(path, "not a list")
    return found


def _write(path: Path, data: list[Any]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps(data, sort_keys=True), mode=0o600)
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror}", hint="free some space there; nothing was changed"
        ) from error


def _damaged(path: Path, why: object) -> StateError:
    return StateError(
        f"{path} cannot be used: {why}"[:300],
        hint="coloc-agent quota undo --all finds what it held by its traces, and begins anew",
    )
