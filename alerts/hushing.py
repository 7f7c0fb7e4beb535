"""What a last resort told is not rung again in Matrix: its words that still wait there lose their ring, and say so.

Only of a room that was silent when it spoke: a mail that is always sent, and was faster, takes no ring away.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.messages import told_elsewhere
from coloc import outbox
from coloc.config.channels import LAST_RESORTS
from coloc.config.whole import Config
from coloc.outbox import Row


def patience_of(config: Config) -> dict[str, timedelta]:
    """Last resort → for how long Matrix may be silent before it speaks."""
    described = {name: getattr(config.channels, name) for name in LAST_RESORTS}
    return {name: timedelta(seconds=keys.after) for name, keys in described.items() if keys is not None}


def hush(connection: sqlite3.Connection, row: Row, language: str, since: datetime) -> None:
    """A last resort said `row`: inside the caller's transaction, quieten what Matrix has still to say of the same.

    since: before this the oldest message of a silent room was written.
    """
    abouts = {about for said in outbox.carried_by(connection, row) for about in _same_in_matrix(connection, said)}
    for about in sorted(abouts):
        for waiting in outbox.carriers(connection, about):
            if not outbox.stalled(connection, "matrix", waiting.target, since):
                continue
            is_later = waiting.about == about and waiting.created_at > row.created_at
            if is_later or not all(_is_told(connection, each) for each in outbox.carried_by(connection, waiting)):
                continue
            if waiting.message.rings:
                message = told_elsewhere(replace(waiting.message, rings=False), [row.channel], language)
                outbox.reword(connection, waiting.id, message)


def heard_from(connection: sqlite3.Connection, about: str) -> list[str]:
    """The last resorts that told all the incidents of a message."""
    said = [
        {name for name, there in _told_there(connection, number) if outbox.was_said(connection, there)}
        for number in _incidents(connection, about)
    ]
    return [name for name in LAST_RESORTS if said and all(name in names for names in said)]


def _same_in_matrix(connection: sqlite3.Connection, about: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT there.about FROM told AS here JOIN told AS there ON there.incident = here.incident "
        "WHERE here.about = ? AND there.channel = 'matrix'",
        (about,),
    )
    return [row[0] for row in rows]


def _is_told(connection: sqlite3.Connection, about: str) -> bool:
    """True when each incident that a message tells was said by a last resort, to its last word."""
    incidents = _incidents(connection, about)
    return bool(incidents) and all(
        any(
            outbox.was_said(connection, there) and not outbox.carriers(connection, there)
            for _, there in _told_there(connection, number)
        )
        for number in incidents
    )


def _incidents(connection: sqlite3.Connection, about: str) -> list[int]:
    return [row[0] for row in connection.execute("SELECT incident FROM told WHERE about = ?", (about,))]


def _told_there(connection: sqlite3.Connection, incident: int) -> list[tuple[str, str]]:
    """The last resorts that tell of an incident, and the key of the message there."""
    rows = connection.execute("SELECT channel, about FROM told WHERE incident = ?", (incident,))
    return [(row[0], row[1]) for row in rows if row[0] in LAST_RESORTS]
