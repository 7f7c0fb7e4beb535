"""A channel in memory whose answers the test decides: what was said where, in its order."""

from __future__ import annotations

import threading
from collections.abc import Callable

from alerts.channel import Outcome, Sent
from coloc.outbox import Kind, Row


class FakeChannel:
    """Says everything, unless `decide` says otherwise; the same transaction id twice is one message."""

    name = "matrix"

    def __init__(self, decide: Callable[[Row], Outcome | None] = lambda _: None) -> None:
        self.decide = decide
        self.rows: list[Row] = []  # every try
        self.texts: dict[str, str] = {}  # remote id → its text now
        self.targets: dict[str, str] = {}
        self._lock = threading.Lock()

    def deliver(self, row: Row) -> Outcome:
        with self._lock:
            self.rows.append(row)
        outcome = self.decide(row)
        return outcome if outcome is not None else self.hear(row)

    def hear(self, row: Row) -> Outcome:
        """What the other side does with a row that arrives."""
        with self._lock:
            remote = row.about_remote_id if row.kind is Kind.EDIT and row.about_remote_id else f"${row.txn_id}"
            self.texts[remote] = row.message.text
            self.targets[remote] = row.target
            return Sent(remote)

    def check(self) -> list[str]:
        return []

    def close(self) -> None:
        pass
