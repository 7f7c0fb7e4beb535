"""The console: one harmless line a message, on any output."""

from __future__ import annotations

import io

from alerts.channel import Retry, Sent
from alerts.console import ConsoleChannel
from coloc.outbox import Kind
from tests.fakes.rows import row


def said(text: str, kind: Kind = Kind.NEW) -> str:
    stream = io.StringIO()
    assert isinstance(ConsoleChannel(stream).deliver(row(text, target="console", kind=kind)), Sent)
    return stream.getvalue()


def test_a_message_is_one_line() -> None:
    assert said("🔴 en panne\nDepuis hier\n") == "» 🔴 en panne | Depuis hier\n"
    assert said("suite", Kind.REPLY).startswith("  ↳ suite")


def test_no_text_can_drive_the_terminal_or_fill_the_journal() -> None:
    assert said("a\x1b[2Jb\u202ec\x00d\u2028e\x85f") == "» a?[2Jb?c?d | e | f\n"
    assert said("@\u200broom") == "» @room\n"
    assert len(said("é" * 1_000_000)) < 5000


def test_an_output_that_knows_no_accents_gets_the_message_all_the_same() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    assert isinstance(ConsoleChannel(stream).deliver(row("arrêtée", target="console")), Sent)
    assert b"arr\\xeat\\xe9e" in raw.getvalue()
    stream.close()


def test_half_a_character_is_written_somehow() -> None:
    assert "arr" in said("arr\ud800")


def test_a_closed_output_is_tried_again() -> None:
    stream = io.StringIO()
    stream.close()
    assert isinstance(ConsoleChannel(stream).deliver(row("x", target="console")), Retry)
