"""Parses lines of postfix's log into what a mail's way through the queue is made of. Addresses go no further than this.

Queue ids join the lines. Lines about mails that were refused, and those of other programs, are nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How an attempt to deliver to one recipient ended."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"


@dataclass(frozen=True, slots=True)
class ByUser:
    """A mail of a local account, by sendmail."""

    queue_id: bytes
    uid: int


@dataclass(frozen=True, slots=True)
class ByLogin:
    """A mail that came with a login. The login of an app is its id."""

    queue_id: bytes
    login: str


@dataclass(frozen=True, slots=True)
class ByClient:
    """A mail that came without a login; `local`: from this machine."""

    queue_id: bytes
    local: bool


@dataclass(frozen=True, slots=True)
class Queued:
    """The mail is taken up for delivery, for the first time or again. `domain`: of the sender, empty for a bounce."""

    queue_id: bytes
    domain: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt for one recipient."""

    queue_id: bytes
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Expired:
    """The mail was given up after days; its sender is told."""

    queue_id: bytes


@dataclass(frozen=True, slots=True)
class Removed:
    """The queue id is free again."""

    queue_id: bytes


Event = ByUser | ByLogin | ByClient | Queued | Delivery | Expired | Removed

_QUEUE_ID = re.compile(rb"[0-9A-Za-z]{5,20}")
_LONGEST = 4096
_LOCAL = (b"[127.0.0.1]", b"[::1]", b"[local]")
_NO_AGENT = frozenset((b"cleanup", b"bounce", b"trivial-rewrite", b"anvil", b"master", b"scache", b"verify", b"tlsmgr"))


def parse(line: bytes) -> Event | None:
    """One line, with a stamp of either form of syslog; None for a line that says nothing. Never raises."""
    program, text = _program(line[:_LONGEST])
    queue_id, colon, rest = text.partition(b": ")
    if not program or not colon or not _QUEUE_ID.fullmatch(queue_id) or queue_id in (b"NOQUEUE", b"warning"):
        return None
    if program in {b"qmgr", b"oqmgr"}:
        return _queue(queue_id, rest)
    if program == b"pickup":
        return _pickup(queue_id, rest)
    if program == b"smtpd":
        return _client(queue_id, rest)
    return _delivery(queue_id, rest) if program not in _NO_AGENT else None


def _program(line: bytes) -> tuple[bytes, bytes]:
    """`2026-… host postfix/submission/smtpd[7]: text` or `Nov 23 01:02:03 host postfix/…` → (`smtpd`, text)."""
    parts = line.split(b" ", 3)
    if len(parts) == 4 and parts[0][:1].isdigit():
        tag, text = parts[2], parts[3]
    else:
        parts = line.split(None, 5)
        if len(parts) != 6:
            return b"", b""
        tag, text = parts[4], parts[5]
    if not tag.startswith(b"postfix") or not tag.endswith(b"]:") or b"/" not in tag:
        return b"", b""
    return tag.rpartition(b"/")[2].partition(b"[")[0], text


def _queue(queue_id: bytes, rest: bytes) -> Event | None:
    if rest == b"removed":
        return Removed(queue_id)
    if not rest.startswith(b"from=<"):
        return None
    sender, _, fields = rest[6:].rpartition(b">, ")
    if fields.startswith(b"status=expired") or fields.startswith(b"status=force-expired"):
        return Expired(queue_id)
    if fields.startswith(b"size="):
        return Queued(queue_id, sender.rpartition(b"@")[2].lower().decode("ascii", "replace") if b"@" in sender else "")
    return None


def _pickup(queue_id: bytes, rest: bytes) -> Event | None:
    word = rest.partition(b" ")[0]
    digits = word.removeprefix(b"uid=")
    return ByUser(queue_id, int(digits)) if word != digits and digits.isdigit() and len(digits) <= 10 else None


def _client(queue_id: bytes, rest: bytes) -> Event | None:
    if not rest.startswith(b"client="):
        return None
    fields = rest.split(b", ")
    if any(field.startswith(b"orig_queue_id=") for field in fields):
        return None  # back from a content filter: it was counted on its way there
    for field in fields[1:]:
        if field.startswith(b"sasl_username="):
            return ByLogin(queue_id, field[14:].decode("utf-8", "replace"))
    return ByClient(queue_id, fields[0].endswith(_LOCAL))


def _delivery(queue_id: bytes, rest: bytes) -> Event | None:
    if not rest.startswith(b"to=<"):
        return None
    fields = rest.partition(b", dsn=")[2] or rest
    word = re.split(rb"[ (]", fields.partition(b", status=")[2], maxsplit=1)[0]
    for outcome in Outcome:
        if word == outcome.encode():
            return Delivery(queue_id, outcome)
    return None
