"""The outbox: messages that were decided and are still to be said. Written in the transaction of what they tell of.

`agent` adds rows, `alerts.delivery` sends them. A row fixes its transaction id when it is written, so that repeating it
after a crash is not a second message (Matrix keeps such an id for 24 hours).
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from coloc.times import iso, parse_iso

_LONGEST_WAIT = timedelta(days=1)  # nobody asks for more: beyond it the clock was set back, and the message is due

_TOLD_IN = "told in "
_TRIED = 2


class Kind(StrEnum):
    """How a message stands to the others."""

    NEW = "new"
    EDIT = "edit"  # replaces the text of `about`
    REPLY = "reply"  # goes into the thread of `about`


@dataclass(frozen=True, slots=True)
class Message:
    """What to say: plain text and the same as HTML (already escaped), and whether it should ring."""

    text: str
    html: str
    rings: bool = True


class BadRow(ValueError):
    """A row that cannot be understood (damage, a bug): it must not hold those behind it."""

    def __init__(self, row_id: int, key: str, why: str) -> None:
        super().__init__(f"the row {row_id} of the outbox cannot be read: {why}")
        self.id, self.key = row_id, key


@dataclass(frozen=True, slots=True)
class Row:
    """One message of the outbox on its way."""

    id: int
    channel: str
    target: str
    kind: Kind
    key: str
    about: str
    message: Message
    txn_id: str
    attempts: int
    created_at: datetime
    about_remote_id: str | None  # what the channel called the message that this one edits or answers


def add(
    connection: sqlite3.Connection,
    *,
    channel: str,
    target: str,
    kind: Kind,
    key: str,
    about: str,
    message: Message,
    now: datetime,
) -> None:
    """Add a message inside the caller's transaction; the same key a second time changes nothing.

    A waiting edit of the same message is replaced: only the last text counts.
    """
    payload = _payload(message)
    added = connection.execute(
        "INSERT INTO outbox (channel, target, kind, key, about, payload, txn_id, created_at, next_try_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (channel, target, kind, key, about, payload, uuid.uuid4().hex, iso(now), iso(now)),
    )
    if added.rowcount and kind is Kind.EDIT:
        connection.execute(
            "UPDATE outbox SET state = 'dropped', error = 'a later edit took its place' "
            "WHERE state = 'waiting' AND attempts = 0 AND kind = 'edit' "
            "AND channel = ? AND target = ? AND about = ? AND key <> ?",
            (channel, target, about, key),
        )


def queues(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The (channel, target) pairs that have something to send."""
    rows = connection.execute(
        "SELECT DISTINCT channel, target FROM outbox WHERE state IN ('waiting', 'blocked') ORDER BY 1, 2"
    )
    return [(row[0], row[1]) for row in rows]


def head(connection: sqlite3.Connection, channel: str, target: str, now: datetime) -> Row | None:
    """The first message of a queue, if its time has come: one that waits holds those behind it, so order is kept.

    Raises BadRow.
    """
    row = connection.execute(
        "SELECT * FROM outbox WHERE state IN ('waiting', 'blocked') AND channel = ? AND target = ? ORDER BY id LIMIT 1",
        (channel, target),
    ).fetchone()
    if row is None:
        return None
    read = _row(connection, row)
    return None if timedelta(0) < parse_iso(row["next_try_at"]) - now <= _LONGEST_WAIT else read


def behind(connection: sqlite3.Connection, row: Row) -> Row | None:
    """The next message of the same queue that has nothing to do with this one. Raises BadRow."""
    found = connection.execute(
        "SELECT * FROM outbox WHERE state IN ('waiting', 'blocked') AND channel = ? AND target = ? AND id > ? "
        "AND about <> ? ORDER BY id LIMIT 1",
        (row.channel, row.target, row.id, row.about),
    ).fetchone()
    return None if found is None else _row(connection, found)


def given_up(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Per channel: how many messages were refused for good and are still remembered."""
    rows = connection.execute("SELECT channel, count(*) FROM outbox WHERE state = 'refused' GROUP BY channel")
    return {row[0]: row[1] for row in rows}


def waiting(connection: sqlite3.Connection, channel: str, target: str) -> int:
    """How many messages a queue holds."""
    row = connection.execute(
        "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'blocked') AND channel = ? AND target = ?",
        (channel, target),
    ).fetchone()
    return int(row[0])


def begin(connection: sqlite3.Connection, row_id: int) -> None:
    """Write down that a try begins, before it does: after a crash nobody knows whether it was heard."""
    connection.execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?", (row_id,))


def settle(
    connection: sqlite3.Connection,
    row_id: int,
    *,
    state: str,
    now: datetime,
    remote_id: str | None = None,
    error: str = "",
    next_try_at: datetime | None = None,
) -> None:
    """Write down how a try ended: sent, refused, or waiting/blocked until `next_try_at`."""
    connection.execute(
        "UPDATE outbox SET state = ?, error = ?, remote_id = coalesce(?, remote_id), "
        "sent_at = CASE WHEN ? = 'sent' THEN ? ELSE sent_at END, next_try_at = coalesce(?, next_try_at) WHERE id = ?",
        (state, error[:500], remote_id, state, iso(now), iso(next_try_at) if next_try_at else None, row_id),
    )


def name_remotely(connection: sqlite3.Connection, key: str, remote_id: str) -> None:
    """A message that was never said under its own key was said now: later edits belong to that one."""
    connection.execute("UPDATE outbox SET remote_id = ? WHERE key = ?", (remote_id, key))


def foldable(connection: sqlite3.Connection, channel: str, target: str) -> list[Row]:
    """The messages of a queue that would be new to its room and were never tried, each as it stands by now.

    That is a first message with the text of its last edit, and an edit of a message that was folded or given up.
    """
    rows = connection.execute(
        "SELECT * FROM outbox AS this WHERE state = 'waiting' AND attempts = 0 AND key NOT LIKE 'digest:%' "
        "AND key NOT LIKE 'answer:%' AND key NOT LIKE 'test:%' AND key NOT LIKE 'maintenance:%' "
        "AND channel = ? AND target = ? AND (kind = 'new' OR (kind = 'edit' AND NOT EXISTS (SELECT 1 FROM outbox AS "
        "first WHERE first.key = this.about AND (first.remote_id IS NOT NULL OR first.state IN ('waiting', 'blocked')))"
        ")) ORDER BY id",
        (channel, target),
    ).fetchall()
    found = []
    for row in rows:
        with suppress(BadRow):  # it is told when its turn comes
            found.append(replace(_row(connection, row), message=_last_word(connection, row)))
    return found


def _last_word(connection: sqlite3.Connection, row: sqlite3.Row) -> Message:
    edit = connection.execute(
        "SELECT payload FROM outbox WHERE state = 'waiting' AND kind = 'edit' AND about = ? ORDER BY id DESC LIMIT 1",
        (row["key"],),
    ).fetchone()
    return _message(row, row["payload"] if edit is None else edit["payload"])


def stalled(connection: sqlite3.Connection, channel: str, target: str, since: datetime) -> bool:
    """True when the oldest message of a queue was written before `since`, was tried twice, and still waits.

    One that waits only since the clock was set forward was not tried so often.
    """
    row = connection.execute(
        "SELECT created_at, attempts FROM outbox WHERE state IN ('waiting', 'blocked') AND channel = ? AND target = ? "
        "ORDER BY id LIMIT 1",
        (channel, target),
    ).fetchone()
    return row is not None and row["attempts"] >= _TRIED and row["created_at"] <= iso(since)


def carriers(connection: sqlite3.Connection, about: str) -> list[Row]:
    """The messages that wait and tell of `about`: its own, and digests that it became part of."""
    rows = connection.execute(
        "SELECT * FROM outbox WHERE state IN ('waiting', 'blocked') AND (about = ? OR key IN "
        "(SELECT substr(error, ?) FROM outbox WHERE about = ? AND state = 'dropped' AND error LIKE ? || '%')) "
        "ORDER BY id",
        (about, len(_TOLD_IN) + 1, about, _TOLD_IN),
    ).fetchall()
    found = []
    for row in rows:
        with suppress(BadRow):  # it is given up when its turn comes
            found.append(_row(connection, row))
    return found


def carried_by(connection: sqlite3.Connection, row: Row) -> list[str]:
    """The messages that a row tells of: its own, or those that became a digest."""
    if not row.key.startswith("digest:"):
        return [row.about]
    rows = connection.execute("SELECT DISTINCT about FROM outbox WHERE error = ?", (_TOLD_IN + row.key,))
    return [found[0] for found in rows]


def was_said(connection: sqlite3.Connection, key: str) -> bool:
    """True when a message was sent, or the digest that it became part of."""
    row = connection.execute("SELECT state, error FROM outbox WHERE key = ?", (key,)).fetchone()
    if row is not None and row["state"] == "dropped" and row["error"].startswith(_TOLD_IN):
        return was_said(connection, row["error"].removeprefix(_TOLD_IN))
    return row is not None and row["state"] == "sent"


def fold(connection: sqlite3.Connection, ids: Sequence[int], into: str) -> None:
    """End rows that the digest `into` tells, inside the caller's transaction."""
    drop(connection, ids, why=_TOLD_IN + into)


def reword(connection: sqlite3.Connection, row_id: int, message: Message) -> None:
    """Another text for a message that still waits; one that was heard already, unknown to us, keeps its first."""
    connection.execute("UPDATE outbox SET payload = ? WHERE id = ?", (_payload(message), row_id))


def drop(connection: sqlite3.Connection, ids: Sequence[int], *, why: str) -> None:
    """End rows that another row tells, inside the caller's transaction, with the edits of them that still wait."""
    for row_id in ids:
        connection.execute("UPDATE outbox SET state = 'dropped', error = ? WHERE id = ?", (why, row_id))
        connection.execute(
            "UPDATE outbox SET state = 'dropped', error = ? WHERE state = 'waiting' AND kind <> 'new' AND attempts = 0 "
            "AND about = (SELECT key FROM outbox WHERE id = ?)",
            (why, row_id),
        )


def depth(connection: sqlite3.Connection) -> Mapping[str, tuple[int, datetime]]:
    """Per channel: how many messages wait, and since when the oldest does."""
    rows = connection.execute(
        "SELECT channel, count(*), min(created_at) FROM outbox WHERE state IN ('waiting', 'blocked') GROUP BY channel"
    )
    return {row[0]: (row[1], parse_iso(row[2])) for row in rows}


def _payload(message: Message) -> str:
    return json.dumps({"text": message.text, "html": message.html, "rings": message.rings})


def _message(row: sqlite3.Row, payload: str) -> Message:
    try:
        values = json.loads(payload)
        return Message(str(values["text"]), str(values["html"]), values["rings"] is True)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRow(row["id"], row["key"], type(error).__name__) from error


def _row(connection: sqlite3.Connection, row: sqlite3.Row) -> Row:
    about = connection.execute("SELECT remote_id FROM outbox WHERE key = ?", (row["about"],)).fetchone()
    try:
        kind, created_at = Kind(row["kind"]), parse_iso(row["created_at"])
        parse_iso(row["next_try_at"])
    except ValueError as error:
        raise BadRow(row["id"], row["key"], str(error)) from error
    return Row(
        row["id"],
        row["channel"],
        row["target"],
        kind,
        row["key"],
        row["about"],
        _message(row, row["payload"]),
        row["txn_id"],
        row["attempts"],
        created_at,
        about["remote_id"] if about else None,
    )
