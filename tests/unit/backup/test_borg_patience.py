"""How long Borg is given to keep what it sent, when it is asked to stop."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, cast

import pytest

from backup.borg import Repository
from coloc.command import Output, Run
from coloc.secrets import Secret


@pytest.mark.parametrize(("limit", "least"), [(None, 20), (500_000, 30), (50_000, 300)])
def test_at_a_slow_host_it_has_the_time_to_send_the_piece_under_way(
    tmp_path: Path, limit: int | None, least: float
) -> None:
    given: list[Any] = []

    def run(_argv: Any, **options: Any) -> Output:
        given.extend(options["stop_with"])
        return Output(0, "", "")

    Repository("merle", f"{tmp_path}/r", Secret("x"), tmp_path, upload_limit=limit, run=cast("Run", run)).init()
    assert [number for number, _ in given] == [signal.SIGINT, signal.SIGINT]
    first, second = (seconds for _, seconds in given)
    assert least <= first <= least + 60
    assert second == 10
