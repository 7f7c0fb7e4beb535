"""The outbox: in order, each once, the last edit only, and waiting as long as it was told but never longer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coloc import outbox
from coloc.outbox import Kind, Message
from coloc.state import State, open_state

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


def add(state: State, key: str, kind: Kind = Kind.NEW, about: str = "", text: str = "", target: str = "!room") -> None:
    with state.transaction() as connection:
        outbox.add(
            connection,
            channel="matrix",
            target=target,
            kind=kind,
            key=key,
            about=about or key,
            message=Message(text or key, f"<b>{text or key}</b>"),
            now=NOW,
        )


def head(state: State, target: str = "!room", now: datetime = NOW) -> outbox.Row | None:
    return outbox.head(state.connection, "matrix", target, now)


def settle(state: State, row: outbox.Row | None, how: str, **values: object) -> None:
    assert row is not None
    with state.transaction() as connection:
        outbox.begin(connection, row.id)
        outbox.settle(connection, row.id, state=how, now=NOW, **values)  # type: ignore[arg-type]


def said(state: State) -> list[str]:
    """Send everything, and return what was said."""
    texts = []
    while row := head(state):
        texts.append(row.message.text)
        settle(state, row, "sent", remote_id=f"${row.key}")
    return texts


def test_messages_of_one_queue_are_said_in_their_order(state: State) -> None:
    for key in ("c", "a", "b"):
        add(state, key)
    add(state, "other", target="!elsewhere")
    assert outbox.queues(state.connection) == [("matrix", "!elsewhere"), ("matrix", "!room")]
    assert outbox.depth(state.connection) == {"matrix": (4, NOW)}
    assert said(state) == ["c", "a", "b"]
    assert outbox.queues(state.connection) == [("matrix", "!elsewhere")]


def test_the_same_key_twice_is_one_message_with_one_transaction_id(state: State) -> None:
    add(state, "a", text="first")
    before = head(state)
    add(state, "a", text="again")
    assert head(state) == before
    assert said(state) == ["first"]


def test_only_the_last_of_the_waiting_edits_is_said(state: State) -> None:
    add(state, "a")
    for number in range(3):
        add(state, f"a:{number}", Kind.EDIT, "a")
    add(state, "b:0", Kind.EDIT, "b")
    assert said(state) == ["a", "a:2", "b:0"]


def test_an_edit_added_again_does_not_take_the_place_of_a_later_one(state: State) -> None:
    add(state, "a:1", Kind.EDIT, "a")
    add(state, "a:2", Kind.EDIT, "a")
    add(state, "a:1", Kind.EDIT, "a")
    assert said(state) == ["a:2"]


def test_an_edit_that_may_have_been_sent_is_not_replaced(state: State) -> None:
    add(state, "a:1", Kind.EDIT, "a")
    settle(state, head(state), "waiting", next_try_at=NOW)
    add(state, "a:2", Kind.EDIT, "a")
    assert said(state) == ["a:1", "a:2"]


def test_a_message_that_waits_holds_those_behind_it(state: State) -> None:
    add(state, "a")
    add(state, "b")
    settle(state, head(state), "waiting", next_try_at=NOW + MINUTE, error="429")
    assert head(state) is None
    later = head(state, now=NOW + MINUTE)
    assert later is not None
    assert (later.key, later.attempts) == ("a", 1)


def test_a_clock_that_was_set_back_a_year_does_not_hold_messages_for_a_year(state: State) -> None:
    add(state, "a")
    settle(state, head(state), "blocked", next_try_at=NOW + timedelta(days=365))
    assert head(state) is not None


@pytest.mark.parametrize("how", ["sent", "refused", "dropped"])
def test_what_is_settled_lets_the_next_pass(state: State, how: str) -> None:
    add(state, "a")
    add(state, "b")
    settle(state, head(state), how)
    row = head(state)
    assert row is not None
    assert row.key == "b"


def test_an_edit_knows_what_the_channel_called_its_message(state: State) -> None:
    add(state, "a")
    add(state, "a:1", Kind.EDIT, "a")
    assert getattr(head(state), "about_remote_id", "") is None
    settle(state, head(state), "sent", remote_id="$event")
    row = head(state)
    assert row is not None
    assert (row.about_remote_id, row.kind) == ("$event", Kind.EDIT)


def test_an_error_is_kept_short_and_hostile_text_is_stored(state: State) -> None:
    add(state, "a", text="nom \udce9 été </b> \0")
    row = head(state)
    assert row is not None
    assert row.message.text == "nom \udce9 été </b> \0"
    settle(state, row, "waiting", error="x" * 10_000)
    assert len(state.connection.execute("SELECT error FROM outbox").fetchone()[0]) == 500


def test_a_message_is_undone_with_the_transaction_that_it_tells_of(state: State) -> None:
    with pytest.raises(sqlite3.IntegrityError), state.transaction() as connection:
        outbox.add(
            connection, channel="c", target="t", kind=Kind.NEW, key="k", about="k", message=Message("", ""), now=NOW
        )
        connection.execute("INSERT INTO incident_history VALUES (99, '', '', '')")
    assert outbox.queues(state.connection) == []
