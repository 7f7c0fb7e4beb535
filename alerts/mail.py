"""Mail to the adminsys through this machine's own postfix, which keeps and repeats it: a last resort beside Matrix.

A mail cannot be edited: each word is a mail of its own in one thread. Its Message-ID belongs to the row of the outbox,
so that a row whose fate is unknown is repeated as the same mail, which mail programs show once.
"""

from __future__ import annotations

import re
import smtplib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from alerts.channel import Blocked, Outcome, Refused, Retry, Sent
from alerts.plain import plain
from alerts.reasons import reason
from coloc.outbox import Row

_SECONDS = 20.0  # for each word of the server
_ALL_SECONDS = 60.0  # for a whole mail: a server that talks without end is left
_LONGEST = 100_000  # characters
_LONGEST_SUBJECT = 200
_ID = re.compile(r"<[0-9A-Za-z._-]+@[0-9A-Za-z.-]+>")
_ZERO_WIDTH = "\u200b"


class MailChannel:
    """One sender, its recipients, and the server that takes mail for them."""

    name = "mail"

    def __init__(
        self, server: str, port: int, *, sender: str, to: Sequence[str], coloc: str, seconds: float = _ALL_SECONDS
    ) -> None:
        self._server, self._port, self._sender, self._to, self._coloc = server, port, sender, tuple(to), coloc
        self._seconds = seconds

    def deliver(self, row: Row) -> Outcome:
        """See Channel. Every row is a mail of its own; what edits or answers another one stands in its thread."""
        mail = mail_of(row, sender=self._sender, to=self._to, coloc=self._coloc)
        try:
            with self._connected() as server:
                server.send_message(mail, self._sender, self._to)
        except (OSError, smtplib.SMTPException) as error:
            return _trouble(error, self._to)
        return Sent(str(mail["Message-ID"]))

    def check(self) -> list[str]:
        """See Channel: the server takes mail from the sender for each recipient. Nothing is sent."""
        try:
            with self._connected() as server:
                server.ehlo_or_helo_if_needed()
                sender, recipients = server.mail(self._sender), [server.rcpt(one) for one in self._to]
                server.rset()
        except (OSError, smtplib.SMTPException) as error:
            return [f"Mail: {_words(_trouble(error, self._to))}"]
        if sender[0] >= 400:
            return [f"Mail: {_refused_sender(*sender)}"]
        return [
            f"Mail: {_refused_recipient(number, code, said)}"
            for number, (code, said) in enumerate(recipients, 1)
            if code >= 400
        ]

    def close(self) -> None:
        """See Channel: each mail has a connection of its own."""

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        # A name of our own, else smtplib asks the name server for it, which may hang.
        server = smtplib.SMTP(local_hostname="localhost", timeout=min(_SECONDS, self._seconds))
        limit = threading.Timer(self._seconds, _hang_up, [server])
        limit.daemon = True
        limit.start()
        try:
            server.connect(self._server, self._port)
            yield server
            with suppress(smtplib.SMTPException, OSError):  # what was taken is taken
                server.quit()
        finally:
            limit.cancel()
            server.close()


def _hang_up(server: smtplib.SMTP) -> None:
    """From another thread: whoever reads gets an end at once."""
    with suppress(OSError, AttributeError):
        server.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # None before the connection


def mail_of(row: Row, *, sender: str, to: Sequence[str], coloc: str) -> EmailMessage:
    """The mail of a row: always the same for the same row. Pure."""
    text = row.message.text[:_LONGEST].replace(_ZERO_WIDTH, "").encode("utf-8", "replace").decode()
    lines = [_printable(line) for line in text.splitlines()] or [""]
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Subject"] = f"[{coloc}] {plain(lines[0], longest=_LONGEST_SUBJECT).replace(_ZERO_WIDTH, '')}"
    mail["Date"] = format_datetime(row.created_at)
    mail["Message-ID"] = f"<{_word(row.txn_id)}@{sender.rpartition('@')[2]}>"
    if row.about_remote_id and _ID.fullmatch(row.about_remote_id):
        mail["In-Reply-To"] = mail["References"] = row.about_remote_id
    mail["Auto-Submitted"] = "auto-generated"  # nobody's holiday program answers it
    mail.set_content("\n".join(lines) + "\n", charset="utf-8", cte="quoted-printable")
    return mail


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else " " for char in line)


def _word(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z._-]", "-", text)


def _trouble(error: Exception, to: Sequence[str]) -> Outcome:
    """By kind: what passes by itself, what a human must mend, what will never be taken."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        address, (code, said) = next(iter(error.recipients.items()))
        return _by_code(_refused_recipient(to.index(address) + 1, code, said), code)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _by_code(_refused_sender(error.smtp_code, error.smtp_error), error.smtp_code)
    if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500:
        return Refused(reason("the mail server refuses the mail ({status})", status=error.smtp_code))
    if isinstance(error, smtplib.SMTPResponseException):
        return Retry(reason("the mail server answers {status}", status=_status(error.smtp_code, error.smtp_error)))
    return Retry(reason("the mail server does not answer ({why})", why=type(error).__name__))


def _by_code(why: str, code: int) -> Outcome:
    return Retry(why) if code < 500 else Blocked(why)


def _refused_sender(code: int, said: bytes | str) -> str:
    return reason(
        "the mail server refuses our sender ({status}); mend sender: in channels: mail:",
        status=_status(code, said),
    )


def _refused_recipient(number: int, code: int, said: bytes | str) -> str:
    """Which one by its place in coloc.yml: this is told in rooms, where no one's address belongs."""
    return reason(
        "the mail server refuses mail of ours to recipient {number} ({status}); mend to: or sender: in channels: mail:",
        number=number,
        status=_status(code, said),
    )


def _status(code: int, said: bytes | str) -> str:
    """The two numbers of an answer; its words repeat addresses."""
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    more = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", words)
    return f"{code} {more[0]}" if more else str(code)


def _words(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Sent) else outcome.why
