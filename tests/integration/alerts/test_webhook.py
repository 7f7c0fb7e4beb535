"""The webhook against a real HTTP server: what it gets, what a repeat looks like, and how each answer ends."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from alerts.channel import Blocked, Outcome, Refused, Retry, Sent
from alerts.webhook import WebhookChannel
from coloc.errors import ConfigError
from coloc.outbox import Kind
from coloc.secrets import Secret
from tests.fakes.rows import row
from tests.fakes.sshd import free_port
from tests.fakes.taker import Taker, taking

SECRET = "s3cret-that-nobody-may-see"


@pytest.fixture
def taker() -> Iterator[Taker]:
    with taking() as taker:
        yield taker


def said(taker: Taker, text: str = "🔴 Tchat est arrêtée", **keys: Any) -> Outcome:
    channel = WebhookChannel(Secret(taker.url), keys.pop("secret", None), sign=keys.pop("sign", "bearer"), coloc="velo")
    outcome = channel.deliver(row(text, target="webhook", channel="webhook", **keys))
    channel.close()
    return outcome


def test_a_message_arrives_as_json_at_the_very_address(taker: Taker) -> None:
    assert isinstance(said(taker, txn_id="0f", kind=Kind.EDIT, about="i1"), Sent)
    ((path, headers, body),) = taker.got
    assert path == "/hook/?key=k"
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "0f"
    found = json.loads(body)
    assert (found["text"], found["thread"], found["kind"], found["coloc"]) == (
        "🔴 Tchat est arrêtée",
        "i1",
        "edit",
        "velo",
    )


def test_a_repeat_is_the_same_request(taker: Taker) -> None:
    channel = WebhookChannel(Secret(taker.url), None, coloc="velo")
    again = row("x", target="webhook", channel="webhook")
    for attempts in (0, 1):
        channel.deliver(replace(again, attempts=attempts))
    channel.close()
    assert taker.got[0] == taker.got[1]


def test_the_secret_goes_along_as_bearer_or_seals_the_body(taker: Taker) -> None:
    said(taker, secret=Secret(SECRET))
    said(taker, secret=Secret(SECRET), sign="hmac")
    (_, bearer, _), (_, sealed, body) = taker.got
    assert bearer["authorization"] == f"Bearer {SECRET}"
    assert sealed["x-coloc-signature"] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert SECRET not in str(sealed) + body.decode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Sent),
        (204, Sent),
        (302, Blocked),
        (401, Blocked),
        (404, Blocked),
        (409, Retry),
        (429, Retry),
        (503, Retry),
        (400, Refused),
        (413, Refused),
        (422, Refused),
    ],
)
def test_each_answer_ends_as_it_should(taker: Taker, status: int, kind: type) -> None:
    taker.status, taker.headers = status, {"Location": "http://127.0.0.1:9/", "Retry-After": "7"}
    outcome = said(taker, secret=Secret(SECRET))
    assert isinstance(outcome, kind)
    if isinstance(outcome, Retry):
        assert outcome.after_seconds == 7
    if not isinstance(outcome, Sent):
        assert "/hook" not in outcome.why
        assert SECRET not in outcome.why
    assert len(taker.got) == 1, "a redirect is not followed"


@pytest.mark.parametrize("text", ["a\x00b\x1b\u202e", "\ud800", "é🔴" * 500_000, ""])
def test_no_text_breaks_it(taker: Taker, text: str) -> None:
    assert isinstance(said(taker, text), Sent)
    assert len(taker.got[0][2]) < 1_000_000
    json.loads(taker.got[0][2])


def test_a_server_that_is_down_is_tried_again_and_not_named() -> None:
    channel = WebhookChannel(Secret(f"http://127.0.0.1:{free_port()}/hook"), None, coloc="velo")
    outcome = channel.deliver(row("x", target="webhook", channel="webhook"))
    assert isinstance(outcome, Retry)
    assert "/hook" not in outcome.why
    assert len(channel.check()) == 1
    channel.close()


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://127.0.0.1/", "https://", "nonsense", "http://[::", "http://10.0.0.1/", ""]
)
def test_an_address_that_others_could_read_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        WebhookChannel(Secret(url), None, coloc="velo")
    assert not url or url not in str(error.value)


@pytest.mark.parametrize("url", ["https://example.org", "http://localhost:8/x", "http://[::1]:8/"])
def test_https_and_this_machine_are_taken(url: str) -> None:
    WebhookChannel(Secret(url), None, coloc="velo").close()
