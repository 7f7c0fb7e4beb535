"""When mail speaks, of what, and what Matrix still rings afterwards: a real evaluator, outbox and delivery."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.channel import Outcome, Refused, Retry
from alerts.delivery import Delivery
from alerts.elsewhere import elsewhere_of
from alerts.hushing import patience_of
from coloc import outbox
from coloc.outbox import Kind, Message, Row
from tests.fakes.channel import FakeChannel
from tests.fakes.telling_house import CHANNELS, ROOM, TellingHouse
from tests.fakes.waiting import until

MAIL = {"sender": "coloc@house.test", "to": ["root@house.test"]}
MINUTE = 60


class Told:
    """A house whose Matrix is silent or not, and the mails that it sends."""

    def __init__(self, folder: Path, *, rules: dict[str, Any] | None = None, **keys: Any) -> None:
        self.house = TellingHouse(folder, channels=CHANNELS | {"mail": MAIL | keys}, rules=rules or {})
        self.matrix, self.mail = FakeChannel(), FakeChannel()
        self.mail.name = "mail"

    def deliver(self, *, matrix_is_silent: bool = False) -> None:
        """Until nothing moves any more; a silent Matrix was tried as often as in a quarter of an hour."""
        self.matrix.decide = (lambda _: Retry("no answer", 3600)) if matrix_is_silent else lambda _: None
        console = FakeChannel()
        console.name = "console"
        channels = {"matrix": self.matrix, "mail": self.mail, "console": console}
        delivery = Delivery(
            self.house.path,
            channels,
            language="en",
            now=lambda: self.house.now,
            idle_seconds=0.01,
            elsewhere=elsewhere_of(self.house.config),
            patience=patience_of(self.house.config),
        )
        delivery.start()
        if matrix_is_silent:
            tries = "UPDATE outbox SET attempts = 9 WHERE channel = 'matrix' AND attempts > 0 AND state = 'waiting'"
            until(lambda: self.house.state.connection.execute(tries).rowcount > 0, what="a try")
        until(lambda: self.settled(but="matrix" if matrix_is_silent else ""), what="the outbox")
        delivery.stop()

    def settled(self, but: str) -> bool:
        waiting = "SELECT 1 FROM outbox WHERE state = 'waiting' AND channel <> ?"
        return self.house.state.connection.execute(waiting, (but,)).fetchone() is None

    def mails(self) -> list[str]:
        return [heads(item.text) for item in self.house.said("mail")]

    def heard_in_matrix(self) -> list[tuple[str, bool]]:
        return [(str(row.kind), row.message.rings) for row in self.matrix.rows]


def heads(text: str) -> str:
    return " + ".join(re.findall(r"(?m)^(?:\S+ )?(.*?) \[#\d+\]", text))


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(tmp_path)
    yield told
    told.house.state.close()


def silent_for(told: Told, minutes: float, *down: str) -> None:
    """Matrix takes nothing of what began now, for so long."""
    told.house.see(*down)
    told.deliver(matrix_is_silent=True)
    told.house.see(*down, after=minutes * MINUTE)


def test_mail_keeps_quiet_while_matrix_speaks(told: Told) -> None:
    told.house.see("a0")
    told.deliver()
    told.house.see("a0", after=20 * MINUTE)
    assert told.mails() == []


def test_mail_tells_what_matrix_did_not_take_for_a_quarter_of_an_hour(told: Told) -> None:
    silent_for(told, 14, "a0")
    assert told.mails() == []
    told.house.see("a0", after=2 * MINUTE)
    assert told.mails() == ["A0 (a0) is down"]
    told.house.see("a0")
    assert len(told.mails()) == 1


def test_what_begins_while_matrix_is_silent_is_mailed_at_once(told: Told) -> None:
    silent_for(told, 16, "a0")
    told.house.see("a0", "a1", after=2 * MINUTE)
    assert told.mails() == ["A0 (a0) is down", "A1 (a1) is down"]


def test_what_matrix_has_said_before_it_fell_silent_is_not_mailed(told: Told) -> None:
    told.house.see("a0")
    told.deliver()
    silent_for(told, 16, "a0", "a1")
    assert told.mails() == ["A1 (a1) is down"]


def test_a_clock_that_jumps_ahead_is_no_silence_of_matrix(told: Told) -> None:
    told.house.see("a0")
    told.house.see("a0", after=24 * 60 * MINUTE)
    assert told.mails() == []


def test_the_end_is_mailed_to_whoever_heard_of_the_beginning(told: Told) -> None:
    silent_for(told, 16, "a0")
    told.deliver(matrix_is_silent=True)
    told.house.see(after=MINUTE)
    assert [(item.kind, heads(item.text)) for item in told.house.said("mail")] == [
        ("new", "A0 (a0) is down"),
        ("edit", "Resolved: A0 (a0) is down"),
    ]


def test_what_was_mailed_is_said_without_a_ring_when_matrix_comes_back(told: Told) -> None:
    silent_for(told, 16, "a0")
    told.deliver(matrix_is_silent=True)
    told.matrix.rows.clear()
    told.deliver()
    assert told.heard_in_matrix() == [("new", False)]
    (text,) = told.matrix.texts.values()
    assert text.endswith("Told before by: mail")


def test_what_was_not_mailed_rings_when_matrix_comes_back(told: Told) -> None:
    silent_for(told, 5, "a0")
    told.deliver(matrix_is_silent=True)
    told.matrix.rows.clear()
    told.deliver()
    assert told.heard_in_matrix() == [("new", True)]


def test_a_mail_that_did_not_leave_takes_no_ring_from_matrix(told: Told) -> None:
    silent_for(told, 16, "a0")
    told.mail.decide = lambda _: Refused("never")
    told.deliver(matrix_is_silent=True)
    told.matrix.rows.clear()
    told.deliver()
    assert ("new", True) in told.heard_in_matrix()


def test_the_end_in_matrix_says_that_it_was_mailed_and_does_not_ring(told: Told) -> None:
    silent_for(told, 16, "a0")
    told.deliver(matrix_is_silent=True)
    told.deliver()
    told.house.see(after=MINUTE)
    told.deliver()
    (text, *_) = told.matrix.texts.values()
    assert "Resolved" in text
    assert text.endswith("Told before by: mail")


def test_a_digest_of_what_was_mailed_does_not_ring(told: Told) -> None:
    house = told.house
    state, since = house.state, house.now
    for number in range(1, 13):
        about = f"incident:{number}:matrix:{ROOM}"
        _incident(told, number, ("matrix", ROOM, about), ("mail", "mail", "m1"))
        _write(told, "matrix", ROOM, about, f"Down [#{number}]")
    told.deliver(matrix_is_silent=True)
    house.now = since + timedelta(minutes=16)
    _write(told, "mail", "mail", "m1", "12 incidents")
    told.deliver(matrix_is_silent=True)
    told.matrix.rows.clear()
    told.deliver()
    assert state.connection.execute("SELECT count(*) FROM outbox WHERE key LIKE 'digest:%'").fetchone()[0] >= 1
    assert {rings for _, rings in told.heard_in_matrix()} == {False}


def _incident(told: Told, number: int, *places: tuple[str, str, str]) -> None:
    with told.house.state.transaction() as connection:
        columns = "INSERT INTO incidents (id, key, rule, labels, phase, severity, pending_since) "
        connection.execute(columns + "VALUES (?, ?, 'r', '{}', 'firing', 'warning', '')", (number, str(number)))
        for channel, target, about in places:
            connection.execute("INSERT INTO told VALUES (?, ?, ?, ?, '', 1)", (number, channel, target, about))


def _write(told: Told, channel: str, target: str, key: str, text: str) -> None:
    with told.house.state.transaction() as connection:
        outbox.add(
            connection,
            channel=channel,
            target=target,
            kind=Kind.NEW,
            key=key,
            about=key,
            message=Message(text, text),
            now=told.house.now,
        )


def test_a_digest_of_mails_takes_the_ring_of_what_it_tells(told: Told) -> None:
    house = told.house
    for number in range(1, 4):
        about = f"incident:{number}:matrix:{ROOM}"
        _incident(told, number, ("matrix", ROOM, about), ("mail", "mail", f"m{number}"))
        _write(told, "matrix", ROOM, about, f"Down [#{number}]")
    told.deliver(matrix_is_silent=True)
    house.now += timedelta(minutes=16)
    for number in range(1, 11):  # many mails wait: postfix was away for a while
        _write(told, "mail", "mail", f"m{number}", f"Down [#{number}]")
    told.deliver(matrix_is_silent=True)
    assert len([row for row in told.mail.rows if row.key.startswith("digest:")]) == 1
    told.matrix.rows.clear()
    told.deliver()
    assert {rings for _, rings in told.heard_in_matrix()} == {False}


def test_who_took_it_on_is_not_mailed(told: Told) -> None:
    told.house.see("a0")
    number = told.house.incidents()[0].id
    told.house.see("a0", ask={"kind": "ack", "incident": number, "by": "léa"})
    silent_for(told, 16, "a0")
    assert told.mails() == []


def test_a_mail_that_is_always_sent_takes_no_ring_from_a_matrix_that_only_was_slower(tmp_path: Path) -> None:
    told = Told(tmp_path, always=True)
    told.house.see("a0")
    told.house.state.connection.execute("UPDATE outbox SET attempts = 9 WHERE channel = 'matrix'")  # for a moment
    told.deliver(matrix_is_silent=True)
    told.matrix.rows.clear()
    told.deliver()
    assert told.heard_in_matrix() == [("new", True)]
    told.house.see(after=MINUTE)
    told.deliver()
    assert "Told before" not in "".join(told.matrix.texts.values())
    told.house.state.close()


def test_what_an_always_mail_told_while_matrix_was_silent_does_not_ring_there(tmp_path: Path) -> None:
    told = Told(tmp_path, always=True)
    told.house.see("a0")
    told.deliver(matrix_is_silent=True)
    told.house.see("a0", "a1", after=16 * MINUTE)
    told.deliver(matrix_is_silent=True)
    told.matrix.rows.clear()
    told.deliver()
    assert [row.message.rings for row in told.matrix.rows if "a1" in row.message.text] == [False]
    told.house.state.close()


def test_always_means_always(tmp_path: Path) -> None:
    told = Told(tmp_path, always=True)
    told.house.see("a0")
    assert told.mails() == ["A0 (a0) is down"]
    told.house.state.close()


@pytest.mark.parametrize(("acked", "mails"), [(False, 2), (True, 1)])
def test_what_grows_old_while_matrix_is_silent_is_mailed_again_unless_it_was_taken_on(
    tmp_path: Path, acked: bool, mails: int
) -> None:
    rules = {"app_down": {"wait": 0, "clear_after": 0, "severity": "critical"}}
    told = Told(tmp_path, rules=rules)
    silent_for(told, 16, "a0")
    if acked:
        number = told.house.incidents()[0].id
        told.house.see("a0", ask={"kind": "ack", "incident": number, "by": "léa"})
    assert len(told.mails()) == 1, "that somebody took it on is no mail"
    told.house.see("a0", after=16 * MINUTE)
    told.house.see("a0", after=5)
    assert len(told.mails()) == mails
    told.house.state.close()


def test_what_grows_old_when_matrix_is_back_is_not_mailed_again(tmp_path: Path) -> None:
    told = Told(tmp_path, rules={"app_down": {"wait": 0, "clear_after": 0, "severity": "critical"}})
    silent_for(told, 16, "a0")
    told.deliver()
    told.house.see("a0", after=16 * MINUTE)
    assert len(told.mails()) == 1
    told.house.state.close()


def test_without_matrix_mail_tells_everything(tmp_path: Path) -> None:
    house = TellingHouse(tmp_path, channels={"mail": MAIL})
    house.see("a0")
    assert len(house.said("mail")) == 1
    house.state.close()


def test_a_dead_letter_of_matrix_is_mailed_and_one_of_mail_is_told_in_matrix(told: Told) -> None:
    def refuse(row: Row) -> Outcome | None:
        return Refused("never") if "i1" in row.key and not row.key.startswith("given-up") else None

    for channel, target in (("matrix", ROOM), ("mail", "mail")):
        _write(told, channel, target, f"i1:{channel}", "x")
    told.deliver()  # begins nothing: both pass
    told.house.state.connection.execute("UPDATE outbox SET state = 'waiting', remote_id = NULL")
    told.mail.decide = refuse
    told.matrix.decide = refuse
    _deliver_with(told, refuse)
    assert any("given up on matrix" in item.text for item in told.house.said("mail"))
    assert any("given up on mail" in item.text for item in told.house.said("matrix"))


def test_two_channels_that_refuse_everything_do_not_tell_each_other_without_end(told: Told) -> None:
    _write(told, "matrix", ROOM, "i1", "x")
    _deliver_with(told, lambda _: Refused("never"))
    assert told.house.state.connection.execute("SELECT count(*) FROM outbox").fetchone()[0] <= 5


def _deliver_with(told: Told, decide: Any) -> None:
    told.matrix.decide = told.mail.decide = decide
    console = FakeChannel()
    console.name = "console"
    channels = {"matrix": told.matrix, "mail": told.mail, "console": console}
    delivery = Delivery(
        told.house.path, channels, language="en", idle_seconds=0.01, elsewhere=elsewhere_of(told.house.config)
    )
    delivery.start()
    until(lambda: told.settled(but=""), what="the outbox")
    delivery.stop()
