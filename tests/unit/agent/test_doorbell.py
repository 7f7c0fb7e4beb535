"""The doorbell rings once for each thing that came since the daemon looked, and for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from agent.doorbell import Doorbell
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.requests import ask
from tests.fakes.asked import take

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def bell_of(folder: Path) -> Doorbell:
    paths = {"requests": str(folder / "requests"), "facts": str(folder / "facts")}
    return Doorbell(Config.model_validate({"coloc": {"name": "c"}, "paths": paths}))


def test_a_request_rings_until_it_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "requests").mkdir()
    bell = bell_of(tmp_path)
    bell.answer()
    assert not bell.rings()
    ask(tmp_path / "requests", "test")
    assert bell.rings()
    bell.answer()
    list(take(tmp_path / "requests"))
    assert not bell.rings(), "what was taken away is no news"


def test_a_file_that_nobody_can_take_does_not_ring_for_ever(tmp_path: Path) -> None:
    (tmp_path / "requests" / "x.json").mkdir(parents=True)
    bell = bell_of(tmp_path)
    bell.answer()
    assert not bell.rings()


def test_a_fact_rings_and_missing_folders_do_not(tmp_path: Path) -> None:
    bell = bell_of(tmp_path)
    bell.answer()
    assert not bell.rings()
    Spool(tmp_path / "facts").write("run_started", NOW)
    assert bell.rings()
    bell.answer()
    assert not bell.rings()
