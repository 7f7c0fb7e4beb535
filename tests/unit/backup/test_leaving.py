"""An app leaves once, and one that comes back never left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup.journal import open_journal
from backup.leaving import left_since, notice_left

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_leaving_is_noticed_once_and_taken_back(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for app in ("blog", "wiki", "yunohost__system"):  # the last is no app, and never leaves
        journal.remember_proven("merle", app, "r", at=NOW, archives=["a"], original_bytes=1)
    notice_left(journal, ["blog", "new"], NOW)
    notice_left(journal, ["blog"], NOW + timedelta(days=1))
    assert left_since(journal) == {"wiki": NOW}
    notice_left(journal, ["wiki", "blog"], NOW + timedelta(days=2))
    assert left_since(journal) == {}
    journal.close()
