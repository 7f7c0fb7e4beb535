"""Root's own memory of which machine this is: a copy of the server does not write to the original's backup hosts."""

from __future__ import annotations

from pathlib import Path

from backup.journal import Journal
from coloc.errors import ColocError
from coloc.machine import as_text, from_text, identity, is_another


def refuse_copy(journal: Journal, root: Path) -> None:
    """Raises ColocError on another machine than the one that wrote the journal; the first one is remembered."""
    now = identity(root)
    rows = journal.ask("SELECT value FROM self WHERE key = 'machine'")
    known = from_text(rows[0][0]) if rows else {}
    if is_another(known, now):
        raise ColocError(
            "this server is a copy: the machine is not the one that wrote the journal; nothing is backed up or removed",
            hint="if the original is gone and this is the server now: coloc-agent adopt",
        )
    if now.keys() - known.keys():
        remember_machine(journal, root)


def remember_machine(journal: Journal, root: Path) -> None:
    """This is the server from now on."""
    rows = journal.ask("SELECT value FROM self WHERE key = 'machine'")
    known = (from_text(rows[0][0]) if rows else {}) | identity(root)
    journal.ask("INSERT OR REPLACE INTO self VALUES ('machine', ?)", (as_text(known),))
