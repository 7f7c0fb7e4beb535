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

_FIRST = (
    "SELECT 1 FROM told JOIN outbox ON outbox.key = told.about "
    "WHERE told.incident = ? AND told.channel = ? AND outbox.state = 'sent' "
)
_AND_ALL_SINCE = (
    "AND NOT EXISTS (SELECT 1 FROM outbox AS more "
    "WHERE more.about = told.about AND more.state IN ('waiting', 'blocked'))"
)


def patience_of(config: Config) -> dict[str, timedelta]:
    """Last resort → for how long Matrix may be silent before it speaks."""
    described = {name: getattr(config.channels, name) for name in LAST_RESORTS}
    return {name: timedelta(seconds=keys.after) for name, keys in described.items() if keys is not None}


def hush(connection: sqlite3.Connection, row: Row, language: str, since: datetime) -> None:
    """A last resort said `row`: inside the caller's transaction, quieten what Matrix has still to say of the same.

    since: before this the oldest message of a silent room was written.
    """
    for about in _same_in_matrix(connection, row.about):
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
    return [name for name in LAST_RESORTS if _all_told(connection, about, _FIRST, (name,))]


def _same_in_matrix(connection: sqlite3.Connection, about: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT there.about FROM told AS here JOIN told AS there ON there.incident = here.incident "
        "WHERE here.about = ? AND there.channel = 'matrix'",
        (about,),
    )
    return [row[0] for row in rows]


def _is_told(connection: sqlite3.Connection, about: str) -> bool:
    """True when each incident that a message tells was said by a last resort, to its last word."""
    return _all_told(connection, about, _FIRST + _AND_ALL_SINCE, LAST_RESORTS)


def _all_told(connection: sqlite3.Connection, about: str, question: str, by: tuple[str, ...]) -> bool:
    incidents = [row[0] for row in connection.execute("SELECT incident FROM told WHERE about = ?", (about,))]
    return bool(incidents) and all(
        any(connection.execute(question, (number, name)).fetchone() for name in by) for number in incidents
    )
