"""The fault campaign for two minutes, and the proof that it sees what is wrong. For hours: `make faults`."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from tests.faults.campaign import Campaign
from tests.faults.checks import Broken, judge_apps, judge_archives, judge_kept
from tests.faults.house import open_house

SEED = int(os.environ.get("COLOC_FAULTS_SEED", "20261127"))
SECONDS = 90.0


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """A house after two good backups."""
    with open_house(tmp_path_factory.mktemp("faults")) as house:
        campaign = Campaign(house, SEED)
        campaign.begin()
        yield campaign


def test_whatever_happens_every_promise_is_kept(
    campaign: Campaign, record_property: Callable[[str, object], None]
) -> None:
    try:
        campaign.go(count=300, seconds=SECONDS)
    finally:
        struck = sorted(f"{name} in {operation}" for (name, operation), count in campaign.hits.items() if count)
        record_property("told", f"{campaign.hits.total()} faults of seed {SEED} struck: {', '.join(struck)}")
    assert campaign.hits.total() >= 3


def test_the_campaign_sees_an_archive_that_is_not_what_was_there(campaign: Campaign) -> None:
    (host, app, run), archives = max(campaign.house.proven().items(), key=lambda item: item[0][2])
    truth = campaign.house.truths[app, run]
    try:
        campaign.house.truths[app, run] = {**truth, "files": {**truth["files"], "one more": (0o644, 0, "")}}
        with pytest.raises(Broken, match="its files differ: one more"):
            judge_archives(campaign.house, [((host, app, run), archives)])
    finally:
        campaign.house.truths[app, run] = truth


def test_the_campaign_sees_data_that_changed(campaign: Campaign) -> None:
    before = campaign.house.snapshot()
    campaign.house.live(random.Random(1))
    with pytest.raises(Broken, match="changed by nobody"):
        judge_apps(before, campaign.house.snapshot(), "nobody")


def test_the_campaign_sees_a_repository_that_lost_what_is_called_proven(campaign: Campaign) -> None:
    place, away = campaign.house.repositories["merle"], campaign.house.folder / "disk/other"
    place.rename(away)
    try:
        with pytest.raises(Broken, match="merle cannot be listed"):
            judge_kept(campaign.house)
    finally:
        away.rename(place)
