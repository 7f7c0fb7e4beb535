"""What `check` says of enforcement: nothing unless it was asked for, and why it cannot be, before it is counted on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.enforcement_checks import enforcement_points
from coloc.config.whole import Config


@pytest.mark.parametrize(
    ("data", "controllers", "listens", "words"),
    [
        ({}, "cpu memory io pids", True, []),
        ({"enforce": "slices", "stage": "alert"}, "cpu", True, ["the stage is alert: nothing is acted on yet"]),
        (
            {"enforce": "slices", "stage": "enforce"},
            "",
            True,
            ["cannot enforce here: the kernel shows no control groups"],
        ),
        ({"enforce": "slices", "stage": "enforce"}, "cpu", False, ["root has not agreed yet"]),
        ({"stage": "enforce"}, "", False, []),
        ({"enforce": {}, "stage": "enforce"}, "", True, ["what was agreed can be enforced"]),
        ({"enforce": "slices", "stage": "enforce"}, "cpu", True, ["what was agreed can be enforced"]),
    ],
)
def test_what_check_says(
    tmp_path: Path, data: dict[str, Any], controllers: str, listens: bool, words: list[str]
) -> None:
    if controllers:
        (tmp_path / "cgroup.controllers").write_text(controllers)
    socket = tmp_path / "socket"
    if listens:
        socket.touch()
    config = Config.model_validate({"coloc": {"name": "c"}, "paths": {"helper_socket": str(socket)}} | data)
    points = list(enforcement_points(config, cgroups=tmp_path))
    assert all(point.ok for point in points)
    assert len(points) == len(words)
    for point, beginning in zip(points, words, strict=True):
        assert point.sentence().startswith(beginning)
