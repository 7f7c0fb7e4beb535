"""What is shown at once, and what may wait for the third tick."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.news import News
from agent.observation import Observation
from agent.rules import CollectorHealth
from collectors.usage import AppUsage, FilesystemUsage, Usage
from coloc.model import Colocation, Inventory

COLOCATION = Colocation(Inventory({}), (), {})
SEEN = Observation(
    COLOCATION,
    Usage({"blog": AppUsage("blog", "velo", cpu_cores=1.0, up=True)}, {}, (FilesystemUsage("/", 0.5, 1e9, False),)),
    (CollectorHealth("disk", None),),
)
BUSIER = replace(SEEN, usage=replace(SEEN.usage, apps={"blog": AppUsage("blog", "velo", cpu_cores=2.0, up=True)}))
DOWN = replace(SEEN, usage=replace(SEEN.usage, apps={"blog": AppUsage("blog", "velo", up=False)}))
READ_ONLY = replace(SEEN, usage=replace(SEEN.usage, filesystems=(FilesystemUsage("/", 0.5, 1e9, True),)))
FAILING = replace(SEEN, collectors=(CollectorHealth("disk", None, "no answer"),))


def test_figures_are_shown_at_first_and_at_every_third_tick() -> None:
    news = News()
    assert [news.worth_showing(seen, 7) for seen in (SEEN, BUSIER, SEEN, BUSIER, SEEN)] == [
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "changed",
    [DOWN, READ_ONLY, FAILING, replace(SEEN, blind_spots=("x",)), replace(SEEN, colocation=replace(COLOCATION))],
)
def test_what_is_more_than_a_figure_is_shown_at_once(changed: Observation) -> None:
    news = News()
    news.worth_showing(SEEN, 7)
    assert news.worth_showing(changed, 7)
    assert not news.worth_showing(changed, 7)


def test_what_was_written_down_is_shown_at_once() -> None:
    news = News()
    news.worth_showing(SEEN, 7)
    assert news.worth_showing(SEEN, 8)
