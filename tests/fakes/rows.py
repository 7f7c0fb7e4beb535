"""Rows of the outbox for channels to deliver."""

from __future__ import annotations

from datetime import datetime

from coloc.outbox import Kind, Message, Row
from coloc.times import now_utc


def row(
    text: str,
    *,
    target: str,
    kind: Kind = Kind.NEW,
    key: str = "k1",
    about: str = "",
    about_remote_id: str | None = None,
    txn_id: str = "",
    attempts: int = 0,
    created_at: datetime | None = None,
    rings: bool = True,
    channel: str = "matrix",
) -> Row:
    message = Message(text, f"<b>{text}</b>", rings)
    moment = created_at or now_utc()
    return Row(1, channel, target, kind, key, about or key, message, txn_id or key, attempts, moment, about_remote_id)
