"""The campaign of messages for half a minute, and the proof that it sees what is told twice. Longer: `make faults`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.checks import Broken
from tests.faults.telling import campaign, judge, open_town, word_of

SEED = int(os.environ.get("COLOC_FAULTS_SEED", "20261127"))


def test_killed_and_cut_off_at_any_moment_each_incident_is_told_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with open_town(tmp_path) as town:
        campaign(town, incidents=30, kills=6, seed=SEED)
        record_property("told", f"{len(town.open)} incidents, {town.kills} kills of the daemon, seed {SEED}")
        assert town.kills > 6 and town.open and town.over
        twice = word_of(next(iter(town.open)))
        town.room.say(f"once more: {twice}", "bot")
        with pytest.raises(Broken, match="told in several messages of the room"):
            judge(town, [])
