"""The full exposition, line by line. When it changes on purpose: COLOC_UPDATE_GOLDEN=1, and commit the difference."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fakes.measured_house import MeasuredHouse

GOLDEN = Path(__file__).parents[2] / "golden/metrics.prom"


def test_the_exposition_is_the_golden_one(tmp_path: Path) -> None:
    house = MeasuredHouse(tmp_path)
    house.sampler.look_once()
    house.work()
    text = house.sampler.look_once().text.decode()
    house.sampler.stop()
    if os.environ.get("COLOC_UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text.splitlines() == GOLDEN.read_text().splitlines()
