"""The console says how each run of the backups ended."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.announce import announced
from coloc.facts import Fact, Value


def said(values: dict[str, Value], language: str = "en", kind: str = "run_finished") -> list[str]:
    return list(announced([Fact("1", kind, datetime(2026, 11, 23, tzinfo=UTC), values)], language))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"ok": True, "saved": 12, "failed": 0}, "backup finished: 12 saved and read back"),
        (
            {"ok": False, "saved": 10, "failed": 2},
            "backup finished: 10 saved and read back, 2 not saved; see `coloc-agent status`",
        ),
        (
            {"ok": False, "saved": 3, "failed": 0, "stopped": True},
            "backup stopped: 3 saved and read back; see `coloc-agent status`",
        ),
        ({}, "backup finished: 0 saved and read back; see `coloc-agent status`"),
    ],
)
def test_a_run_that_ended_is_one_line(values: dict[str, Value], line: str) -> None:
    assert said(values) == [line]


def test_it_speaks_french_and_of_nothing_else() -> None:
    assert said({"ok": True, "saved": 2}, "fr") == ["sauvegarde terminée : 2 sauvegardées et relues"]
    assert said({"apps": ["blog"]}, kind="run_started") == []
