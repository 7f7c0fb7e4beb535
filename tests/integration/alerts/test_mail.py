"""Mails of the agent through a real postfix: they arrive, in one thread, and each refusal is what it is."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.channel import Blocked, Outcome, Retry, Sent
from alerts.delivery import Delivery
from alerts.mail import MailChannel
from coloc import outbox
from coloc.outbox import Kind, Message
from coloc.state import open_state
from coloc.times import now_utc
from tests.fakes.postfix import Postfix, postfix
from tests.fakes.rows import row
from tests.fakes.sshd import free_port
from tests.fakes.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postfix]:
    assert os.geteuid() == 0, "a postfix of its own needs root"
    with postfix(tmp_path_factory.mktemp("mail") / "postfix") as running:
        yield running


def channel(server: Postfix, *to: str, sender: str = "coloc-agent@house.test") -> MailChannel:
    return MailChannel("127.0.0.1", server.port, sender=sender, to=to or ("lea@kept.test",), coloc="velo")


def said(channel: MailChannel, text: str = "Tchat est arrêtée") -> Outcome:
    return channel.deliver(row(text, target="mail", channel="mail"))


def test_an_incident_and_its_end_are_two_mails_of_one_thread(server: Postfix, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = open_state(path)
    delivery = Delivery(path, {"mail": channel(server)}, idle_seconds=0.05)
    before = len(server.box())
    for number, (kind, text) in enumerate([(Kind.NEW, "🔴 Tchat est arrêtée [#1]"), (Kind.EDIT, "✅ Rétabli [#1]")]):
        with state.transaction() as connection:
            message = Message(text, text)
            key = f"i1:{number}" if number else "i1"
            outbox.add(
                connection,
                channel="mail",
                target="mail",
                kind=kind,
                key=key,
                about="i1",
                message=message,
                now=now_utc(),
            )
        if not number:
            delivery.start()
        until(lambda number=number: len(server.box()) == before + number + 1, what="the mail")  # type: ignore[misc]
    delivery.stop()
    state.close()
    first, last = server.box()[before:]
    assert (first["Subject"], last["Subject"]) == ("[velo] 🔴 Tchat est arrêtée [#1]", "[velo] ✅ Rétabli [#1]")
    assert last["References"] == first["Message-ID"] != last["Message-ID"]


def test_a_row_whose_fate_is_unknown_is_repeated_as_the_same_mail(server: Postfix) -> None:
    before, again = len(server.box()), row("Tchat", target="mail", channel="mail")
    assert [channel(server).deliver(each) for each in (again, replace(again, attempts=1))] == [
        Sent("<k1@house.test>")
    ] * 2
    until(lambda: len(server.box()) == before + 2, what="both mails")
    assert {mail["Message-ID"] for mail in server.box()[before:]} == {"<k1@house.test>"}


def test_a_server_that_is_down_is_tried_again() -> None:
    nobody = MailChannel("127.0.0.1", free_port(), sender="a@house.test", to=["lea@kept.test"], coloc="velo")
    assert isinstance(said(nobody), Retry)
    assert len(nobody.check()[0].split()) > 5


def test_a_server_that_talks_without_end_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                while True:
                    connection.sendall(b"220-still here\r\n")
                    time.sleep(0.01)

        threading.Thread(target=talk, daemon=True).start()
        endless = MailChannel(
            "127.0.0.1", listener.getsockname()[1], sender="a@house.test", to=["x@y.test"], coloc="c", seconds=0.5
        )
        began = time.monotonic()
        assert isinstance(said(endless), Retry)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("to", "sender"), [("lea@bounced.test", "coloc-agent@house.test"), ("lea@kept.test", "owned@house.test")]
)
def test_an_address_that_is_refused_waits_for_a_human(server: Postfix, to: str, sender: str) -> None:
    refused = channel(server, to, sender=sender)
    outcome = said(refused)
    assert isinstance(outcome, Blocked)
    assert re.search(r"recipient 1 \((550 5.1.1|553 5.7.1)\); mend to: or sender: in channels: mail:", outcome.why)
    assert "lea" not in outcome.why, "it is told in rooms, where no one's address belongs"
    assert refused.check() == [f"Mail: {outcome.why}"]


def test_check_sends_nothing(server: Postfix) -> None:
    before = server.log.count("status=sent")
    assert channel(server).check() == []
    assert server.log.count("status=sent") == before


def test_one_address_that_is_refused_does_not_keep_it_from_the_others(server: Postfix) -> None:
    before = len(server.box())
    assert isinstance(said(channel(server, "lea@bounced.test", "camille@kept.test")), Sent)
    until(lambda: len(server.box()) == before + 1, what="the mail")
    assert len(channel(server, "lea@bounced.test", "camille@kept.test").check()) == 1
