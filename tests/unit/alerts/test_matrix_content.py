"""The content of Matrix events: within 64 KiB whatever the text is, mentioning nobody."""

from __future__ import annotations

import json

import pytest

from alerts.matrix import content
from coloc.outbox import Kind
from tests.fakes.rows import row

_EVENT_BYTES = 60_000


@pytest.mark.parametrize("char", ["a", "é", "🔴", "\\", '"', "\x01", "\u2028", "<"])
@pytest.mark.parametrize("kind", list(Kind))
def test_an_event_fits_however_long_and_odd_its_text_is(char: str, kind: Kind) -> None:
    told = row(char * 300_000, target="!a", kind=kind, about_remote_id="$first")
    body = content(told)
    assert len(json.dumps(body, ensure_ascii=False).encode()) < _EVENT_BYTES
    assert body["m.mentions"] == {}
    assert len(body["body"]) > 500


def test_a_cut_text_says_how_much_is_missing() -> None:
    text = content(row("a" * 20_000, target="!a"))["body"]
    kept, _, note = text.partition("… [")
    assert len(kept) + int(note.rstrip("]")) == 20_000


def test_an_edit_replaces_the_original_and_a_reply_is_a_notice_in_its_thread() -> None:
    edit = content(row("x", target="!a", kind=Kind.EDIT, about_remote_id="$first"))
    assert edit["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$first"}
    assert edit["m.new_content"]["body"] == "x"
    assert edit["m.new_content"]["m.mentions"] == {}
    reply = content(row("x", target="!a", kind=Kind.REPLY, about_remote_id="$first", rings=False))
    assert reply["msgtype"] == "m.notice"
    assert reply["m.relates_to"]["rel_type"] == "m.thread"
