"""A pause of the nightly run: until when, in one small file of root's own folder. The run stops before its next app."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from coloc.errors import StateError
from coloc.facts import write_whole
from coloc.times import iso, parse_iso

_NAME = "pause"
_LOOK_SECONDS = 1.0


def pause_until(folder: Path, end: datetime) -> None:
    """The run rests before its next app, until `end`. Raises StateError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(folder / _NAME, iso(end) + "\n")
    except OSError as error:
        raise _failed(folder, error) from error


def resume(folder: Path) -> bool:
    """The run may go on. False when there was no pause. Raises StateError."""
    try:
        (folder / _NAME).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _failed(folder, error) from error
    return True


def paused_until(folder: Path, now: datetime) -> datetime | None:
    """The end of the pause; None when there is none, or when it is over. What cannot be read is no pause."""
    with suppress(OSError, ValueError):
        end = parse_iso((folder / _NAME).read_text().strip())
        return end if end > now else None
    return None


def rest(
    folder: Path, clock: Callable[[], datetime], wait: Callable[[float], object], told: Callable[[], None]
) -> None:
    """Return when there is no pause (any more). wait: sleeps, true when the run is to stop; told: when it rests."""
    if paused_until(folder, clock()) is None:
        return
    told()
    while paused_until(folder, clock()) is not None and not wait(_LOOK_SECONDS):
        pass


def _failed(folder: Path, error: OSError) -> StateError:
    return StateError(f"{folder / _NAME} cannot be written: {error.strerror}", hint="run it as root; is the disk full?")
