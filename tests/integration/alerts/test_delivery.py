"""Delivery of the outbox: in order, nothing lost, nothing doubled, and no room waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from agent.house import all_moved
from alerts.channel import Blocked, Outcome, Refused, Retry
from alerts.delivery import Delivery
from alerts.elsewhere import elsewhere_of
from alerts.reasons import reason
from coloc import outbox
from coloc.config.whole import Config
from coloc.outbox import Kind, Message, Row
from coloc.state import State, open_state
from coloc.times import now_utc
from tests.fakes.channel import FakeChannel
from tests.fakes.waiting import until


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


@pytest.fixture
def deliver(state: State) -> Iterator[Callable[..., Delivery]]:
    with ExitStack() as stack:

        def start(channel: FakeChannel, *, more: dict[str, FakeChannel] | None = None, **options: object) -> Delivery:
            delivery = Delivery(state.path, {"matrix": channel, **(more or {})}, **options)  # type: ignore[arg-type]
            delivery.start()
            stack.callback(delivery.stop)
            return delivery

        yield start


def add(
    state: State, key: str, *, about: str = "", target: str = "!a", text: str = "", kind: Kind | None = None
) -> None:
    with state.transaction() as connection:
        outbox.add(
            connection,
            channel="matrix",
            target=target,
            kind=Kind.EDIT if about else Kind.NEW,
            key=key,
            about=about or key,
            message=Message(text or key, text or key),
            now=now_utc(),
        )


def left(state: State) -> int:
    return sum(count for count, _ in outbox.depth(state.connection).values())


def done(state: State) -> None:
    until(lambda: left(state) == 0, seconds=60, what="the outbox to be empty")


def once(outcome: Outcome) -> Callable[[Row], Outcome | None]:
    """The first try ends so, the others well."""
    answers = [outcome]
    return lambda _: answers.pop() if answers else None


def test_rows_are_said_in_their_order_and_edits_find_their_message(
    state: State, deliver: Callable[..., Delivery]
) -> None:
    channel = FakeChannel()
    for number in range(5):
        add(state, f"i{number}")
    add(state, "i0:1", about="i0", text="rétabli")
    deliver(channel)
    done(state)
    assert list(channel.texts.values()) == ["rétabli", "i1", "i2", "i3", "i4"]


def test_an_unknown_outcome_is_repeated_with_the_same_transaction_id(
    state: State, deliver: Callable[..., Delivery]
) -> None:
    channel = FakeChannel()
    answers = [Retry("no answer", 0.01)]
    channel.decide = lambda row: (channel.hear(row), answers.pop())[1] if answers else None
    add(state, "i1")
    deliver(channel)
    done(state)
    assert len(channel.rows) == 2
    assert len({row.txn_id for row in channel.rows}) == 1
    assert list(channel.texts.values()) == ["i1"]


def test_a_silent_line_of_a_message_that_was_never_said_is_dropped_and_one_that_rings_is_said(
    state: State, deliver: Callable[..., Delivery]
) -> None:
    channel = FakeChannel(once(Refused("too large")))
    add(state, "i1")
    for rings in (False, True):
        with state.transaction() as connection:
            outbox.add(
                connection,
                channel="matrix",
                target="!a",
                kind=Kind.REPLY,
                key=f"i1:{rings}",
                about="i1",
                message=Message(f"rings: {rings}", "", rings),
                now=now_utc(),
            )
    deliver(channel)
    done(state)
    assert list(channel.texts.values()) == ["rings: True"]


@pytest.mark.parametrize("trouble", [Blocked("closed"), Retry("down", 600.0)])
def test_a_room_in_trouble_delays_no_other(state: State, deliver: Callable[..., Delivery], trouble: Outcome) -> None:
    channel = FakeChannel(lambda row: trouble if row.target == "!a" else None)
    add(state, "i1", target="!a")
    add(state, "i2", target="!b")
    deliver(channel)
    until(lambda: left(state) == 1)
    assert list(channel.targets.values()) == ["!b"]


def test_a_hanging_room_delays_no_other_and_stop_does_not_wait_for_it(state: State) -> None:
    gate = threading.Event()

    def hang(row: Row) -> Outcome | None:
        return Retry("no answer") if row.target == "!a" and gate.wait(30) else None

    channel = FakeChannel(hang)
    add(state, "i1", target="!a")
    add(state, "i2", target="!b")
    delivery = Delivery(state.path, {"matrix": channel})
    delivery.start()
    until(lambda: left(state) == 1 and len(channel.rows) == 2)
    began = time.monotonic()
    delivery.stop()
    assert time.monotonic() - began < 2.5
    gate.set()


def test_what_waits_for_a_human_is_told_elsewhere_once_and_again_when_it_is_over(
    state: State, deliver: Callable[..., Delivery]
) -> None:
    answers: list[Outcome] = [Blocked(reason("the access token is refused; make a new one and put it into token_file"))]
    answers += [Blocked("still")] * 2
    channel, console = FakeChannel(), FakeChannel()
    channel.decide = lambda _: answers.pop(0) if answers else None
    console.name = "console"
    clock = [0.0]
    add(state, "i1")
    deliver(channel, more={"console": console}, monotonic=lambda: clock[0])
    until(lambda: list(console.texts.values()))
    (told,) = console.texts.values()
    assert "!a" in told
    assert "fais-en un nouveau" in told, "in the language of the room"

    def later() -> bool:
        clock[0] += 301
        return left(state) == 0

    until(later, seconds=60)
    (told,) = console.texts.values()
    assert told == "✅ Les messages passent de nouveau sur matrix : !a"


def test_trouble_of_a_projects_room_is_told_in_the_machines_room(
    state: State, deliver: Callable[..., Delivery]
) -> None:
    channel, console = FakeChannel(lambda row: Blocked("removed") if row.target == "!a" else None), FakeChannel()
    console.name = "console"
    values = {
        "coloc": {"name": "c"},
        "stage": "alert",
        "channels": {"matrix": {"homeserver": "https://m.test", "room": "!machine"}},
    }
    add(state, "i1")
    deliver(channel, more={"console": console}, elsewhere=elsewhere_of(Config.model_validate(values)))
    until(lambda: len(channel.texts) == 1 and len(console.texts) == 1)
    assert list(channel.targets.values()) == ["!machine"]


def test_the_delivery_counts_what_it_said_and_what_failed(state: State, deliver: Callable[..., Delivery]) -> None:
    answers: list[Outcome] = [Retry("down", 0.01), Refused("too large")]
    add(state, "i1")
    add(state, "i2")
    delivery = deliver(FakeChannel(lambda _: answers.pop(0) if answers else None))
    done(state)
    until(lambda: "matrix" in delivery.counts.now() and delivery.counts.now()["matrix"].sent == 1)
    counts = delivery.counts.now()["matrix"]
    assert dict(counts.failed) == {"retry": 1, "refused": 1}
    assert sum(counts.within.values()) == 1


def test_a_refused_message_does_not_hold_the_next(state: State, deliver: Callable[..., Delivery]) -> None:
    channel = FakeChannel(once(Refused("too large")))
    add(state, "i1")
    add(state, "i2")
    deliver(channel)
    done(state)
    assert list(channel.texts.values()) == ["i2"]
    assert state.connection.execute("SELECT state, error FROM outbox WHERE key = 'i1'").fetchone()[:] == (
        "refused",
        "too large",
    )


@pytest.mark.parametrize(
    "damage",
    ["payload = 'no JSON'", "payload = '[]'", "kind = 'shout'", "created_at = 'yesterday'", "next_try_at = ''"],
)
def test_a_row_that_cannot_be_read_is_given_up_and_told_elsewhere(
    state: State, deliver: Callable[..., Delivery], damage: str
) -> None:
    add(state, "i1")
    state.connection.execute(f"UPDATE outbox SET {damage}")
    add(state, "i2")
    matrix, console = FakeChannel(), FakeChannel()
    console.name = "console"
    deliver(matrix, more={"console": console})
    done(state)
    assert list(matrix.texts.values()) == ["i2"]
    assert [text.split("\n")[0] for text in console.texts.values()] == ["⚠ Un message a été abandonné sur matrix : i1"]
    assert outbox.given_up(state.connection) == {"matrix": 1}


@pytest.mark.parametrize("trouble", [Retry("500", 0.01), None])
def test_a_row_that_alone_never_passes_does_not_hold_the_others_for_ever(
    state: State, deliver: Callable[..., Delivery], trouble: Outcome | None
) -> None:
    def poisoned(row: Row) -> Outcome | None:
        if row.key != "i1":
            return None
        if trouble is None:
            raise RuntimeError("a bug, met by this row alone")
        return trouble

    add(state, "i1")
    state.connection.execute("UPDATE outbox SET attempts = 11")
    add(state, "i2")
    channel = FakeChannel(poisoned)
    deliver(channel)
    done(state)
    assert list(channel.texts.values()) == ["i2"]
    assert outbox.given_up(state.connection) == {"matrix": 1}


def test_what_was_said_is_not_said_again_when_that_cannot_be_written_down(
    state: State, deliver: Callable[..., Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    add(state, "i1")
    state.connection.execute(
        "CREATE TRIGGER full BEFORE UPDATE OF state ON outbox BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    channel = FakeChannel()
    delivery = deliver(channel)
    until(lambda: "the outbox cannot be read" in caplog.text, seconds=60)
    state.connection.execute("DROP TRIGGER full")
    delivery.wake()
    until(lambda: left(state) == 0, seconds=60)
    assert len(channel.rows) == 1


def test_a_room_that_is_down_gives_nothing_up(state: State, deliver: Callable[..., Delivery]) -> None:
    add(state, "i1")
    add(state, "i2")
    state.connection.execute("UPDATE outbox SET attempts = 50")
    channel = FakeChannel(lambda _: Retry("down", 0.01))
    deliver(channel)
    until(lambda: len(channel.rows) > 6, seconds=60)
    assert left(state) == 2
    assert outbox.given_up(state.connection) == {}


def test_a_call_without_end_is_seen_by_the_watchdog(state: State) -> None:
    gate, clock = threading.Event(), [1000.0]
    channel = FakeChannel(lambda _: Retry("late") if gate.wait(600) else None)
    add(state, "i1")
    delivery = Delivery(state.path, {"matrix": channel}, monotonic=lambda: clock[0])
    delivery.start()
    try:
        until(lambda: channel.rows, seconds=60)
        clock[0] += 100
        delivery.wake()
        until(lambda: all_moved([delivery], 0.0, clock[0]), seconds=60)
        clock[0] += 100
        delivery.wake()
        until(lambda: delivery.moved_at == 1000.0, seconds=60)
        assert not all_moved([delivery], 0.0, clock[0])
    finally:
        gate.set()
        delivery.stop()


@pytest.mark.parametrize("days", [-1, 1])
def test_a_jump_of_the_wall_clock_neither_stalls_nor_storms(
    state: State, deliver: Callable[..., Delivery], days: int
) -> None:
    shift = [timedelta(0)]
    channel = FakeChannel(lambda row: Retry("down", 0.5) if len(channel.rows) == 1 else None)
    add(state, "i1")
    deliver(channel, now=lambda: now_utc() + shift[0])
    until(lambda: channel.rows)
    began, shift[0] = time.monotonic(), timedelta(days=days)
    done(state)
    assert 0.3 < time.monotonic() - began < 8
    assert len(channel.rows) == 2


def test_a_burst_becomes_one_digest_with_the_last_word_of_each(state: State, deliver: Callable[..., Delivery]) -> None:
    for number in range(12):
        add(state, f"i{number}", text=f"panne {number}")
    add(state, "i3:1", about="i3", text="rétabli 3")
    channel = FakeChannel()
    deliver(channel, language="fr")
    done(state)
    (digest,) = channel.texts.values()
    assert digest.startswith("📋 12 incidents")
    assert "• rétabli 3" in digest
    assert "• panne 3" not in digest
    assert "• panne 11" in digest


def test_after_a_digest_an_edit_is_a_message_and_the_next_edits_it(
    state: State, deliver: Callable[..., Delivery]
) -> None:
    for number in range(8):
        add(state, f"i{number}")
    channel = FakeChannel()
    deliver(channel)
    done(state)
    add(state, "i1:1", about="i1", text="pire")
    done(state)
    add(state, "i1:2", about="i1", text="rétabli")
    done(state)
    assert list(channel.texts.values())[1:] == ["rétabli"]


def test_many_edits_of_folded_messages_are_one_digest_again(state: State, deliver: Callable[..., Delivery]) -> None:
    for number in range(9):
        add(state, f"i{number}")
    channel = FakeChannel()
    delivery = deliver(channel)
    done(state)
    delivery.stop()
    for number in range(9):
        add(state, f"i{number}:1", about=f"i{number}", text=f"rétabli {number}")
    deliver(channel)
    done(state)
    assert len(channel.texts) == 2
    assert "• rétabli 8" in list(channel.texts.values())[1]


def test_what_was_tried_is_never_folded(state: State, deliver: Callable[..., Delivery]) -> None:
    channel = FakeChannel()
    channel.decide = lambda row: (channel.hear(row), Retry("no answer", 0.2))[1] if len(channel.rows) == 1 else None
    add(state, "first")
    deliver(channel)
    until(lambda: channel.rows)
    for number in range(9):
        add(state, f"i{number}")
    done(state)
    texts = list(channel.texts.values())
    assert texts[0] == "first"
    assert len(texts) == 2
    assert "first" not in texts[1]


def test_the_rows_of_a_channel_that_is_switched_off_wait(state: State) -> None:
    add(state, "i1")
    delivery = Delivery(state.path, {})
    delivery.start()
    until(lambda: delivery.moved_at is not None)
    delivery.stop()
    assert left(state) == 1


def test_it_says_when_it_last_moved(state: State, deliver: Callable[..., Delivery]) -> None:
    delivery = deliver(FakeChannel())
    first = until(lambda: delivery.moved_at)
    delivery.wake()
    until(lambda: (delivery.moved_at or 0) > (first or 0))
