"""What the command line asked for in a folder, taken out of it."""

from __future__ import annotations

from pathlib import Path

from coloc.requests import Request, remove, waiting


def take(folder: Path) -> list[Request]:
    """The requests that wait, each removed."""
    found = waiting(folder)
    remove(folder, found)
    return found
