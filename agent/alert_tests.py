"""A message that tries the way of the alerts: through the daemon, its outbox and each channel, as a real one goes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from alerts.answers import server_test
from coloc import outbox
from coloc.config.channels import LAST_RESORTS
from coloc.config.whole import Config
from coloc.outbox import Kind
from coloc.requests import Request
from coloc.times import iso

_NONCE = re.compile(r"[0-9a-f]{32}")
_KEPT = timedelta(hours=1)


def channels_to_test(config: Config) -> tuple[str, ...]:
    """The channels that a test speaks on when none is named: not the forum, nor a last resort: it would litter them."""
    return tuple(name for name in ("console", "matrix") if name == "console" or config.channels.matrix is not None)


def write_tests(connection: sqlite3.Connection, config: Config, request: Request, now: datetime) -> None:
    """Add the messages that a request asks for, inside the caller's transaction; a strange request adds none."""
    nonce, wanted = str(request.values.get("nonce", "")), str(request.values.get("channel", ""))
    if _NONCE.fullmatch(nonce):
        for channel, target in _places(config):
            if channel == wanted or (not wanted and channel in channels_to_test(config)):
                described = getattr(config.channels, channel)
                language = getattr(described, "language", None) or config.coloc.language
                key = f"test:{nonce}:{channel}"
                outbox.add(
                    connection,
                    channel=channel,
                    target=target,
                    kind=Kind.NEW,
                    key=key,
                    about=key,
                    message=server_test(language, config.zone, now),
                    now=now,
                )


def _places(config: Config) -> Iterator[tuple[str, str]]:
    yield "console", "console"
    if config.channels.matrix is not None:
        yield "matrix", config.channels.matrix.room
    if config.channels.forum is not None:
        yield "forum", str(config.channels.forum.topic)
    yield from ((name, name) for name in LAST_RESORTS if getattr(config.channels, name) is not None)


def latest_tests(connection: sqlite3.Connection, now: datetime) -> Mapping[str, str]:
    """How the tests of the last hour ended: `test:…` → "waiting", "sent", or why not."""
    rows = connection.execute(
        "SELECT key, state, error FROM outbox WHERE key >= 'test:' AND key < 'test;' AND created_at > ? LIMIT 50",
        (iso(now - _KEPT),),
    )
    return {row["key"]: row["error"] or row["state"] if row["state"] != "sent" else "sent" for row in rows}
