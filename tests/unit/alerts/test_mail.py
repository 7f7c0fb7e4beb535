"""The mail of a row: the same each time, in its thread, and no text can add a header to it."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from alerts.mail import mail_of
from coloc.outbox import Kind
from coloc.times import now_utc
from tests.fakes.rows import row

FIRST = "<aaaa@house.test>"


def mail(text: str, **values: Any) -> EmailMessage:
    """As it arrives: what was written is read again."""
    made = mail_of(
        row(text, target="mail", channel="mail", **values),
        sender="coloc-agent@house.test",
        to=["lea@velo.test", "camille@velo.test"],
        coloc="velo",
    )
    raw = made.as_bytes()
    assert raw.isascii(), "nothing on the way has to know 8-bit text"
    assert max(map(len, raw.splitlines())) < 999
    return message_from_bytes(raw, policy=default)


def test_a_mail_says_what_the_message_says() -> None:
    found = mail("🔴 Tchat est arrêtée [#7]\nDepuis hier\n→ Regarde", txn_id="0f")
    assert found["Subject"] == "[velo] 🔴 Tchat est arrêtée [#7]"
    assert (found["From"], found["To"]) == ("coloc-agent@house.test", "lea@velo.test, camille@velo.test")
    assert found["Message-ID"] == "<0f@house.test>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content_type() == "text/plain"
    assert found.get_content().splitlines() == ["🔴 Tchat est arrêtée [#7]", "Depuis hier", "→ Regarde"]


def test_a_repeat_is_the_same_mail_to_the_byte() -> None:
    at = now_utc()
    assert mail("x", created_at=at).as_bytes() == mail("x", created_at=at, attempts=3).as_bytes()


def test_what_edits_a_message_stands_in_its_thread() -> None:
    later = mail("rétabli", key="k2", about="k1", about_remote_id=FIRST, kind=Kind.EDIT)
    assert later["References"] == later["In-Reply-To"] == FIRST
    assert later["Message-ID"] != FIRST
    assert mail("x")["References"] is None


@pytest.mark.parametrize(
    "text",
    [
        "a\r\nBcc: victim@velo.test\r\n\r\nb",
        "a\x00\x0bb\x0cBcc: v@velo.test\x85Bcc: v\u2028Bcc: v@velo.test",
        "=?utf-8?q?Bcc=3A_v=40velo.test?=\r\n .\r\n.\r\nMAIL FROM:<x@y>",
        "\ud800 demi \u202e envers",
        "é🔴" * 500_000,
        "x" * 1_000_000,
        "",
    ],
)
def test_no_text_breaks_a_mail_or_adds_a_header(text: str) -> None:
    found = mail(text)
    assert set(found.keys()) == set(mail("x").keys())
    assert "\n" not in str(found["Subject"])
    assert len(str(found["Subject"])) < 300


@pytest.mark.parametrize("hostile", ["<a@b>\r\nBcc: v@velo.test", "x", "<a b@c>", "<>"])
def test_a_strange_name_of_a_message_is_not_written_into_a_header(hostile: str) -> None:
    assert mail("x", about_remote_id=hostile, kind=Kind.EDIT)["References"] is None
    assert "Bcc" not in mail("x", txn_id=hostile)
