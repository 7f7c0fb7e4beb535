"""The page for the meeting: what stands in it, what does not, and that words from outside are no markup."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.charter.agenda import Room, agenda
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from tests.fakes.daemon_page import NIGHT, NOW, sample_status

ROOM = Room("/", 2e9, 8e9)
STATUS = sample_status()
OLD = NOW - timedelta(days=40)


def relaxed(check: str, review: str) -> dict[str, Any]:
    return {"relaxed": {check: {"reason": "d'ici *l'été*", "on": "2026-01-01", "review": review}}}


def config(language: str = "fr", **blocks: Any) -> Config:
    return parse_config(json.dumps({"coloc": {"name": "test", "language": language}, **blocks}).encode(), "coloc.yml")


def part(title: str, of: Config, status: Any = STATUS, incidents: Any = None) -> list[str]:
    """The lines below one title."""
    lines = agenda(of, status, status.incidents if incidents is None else incidents, [ROOM], days=31)
    below = lines[lines.index(f"## {title}") + 2 :]
    return below[: below.index("")] if "" in below else below


def test_what_no_meeting_has_seen_is_to_be_presented() -> None:
    of = config(
        adminsys={"lea": {"charter": {"presented": "2026-01-01"}}, "noe": {"charter": {"proposed": "2026-11-01"}}},
        projects={"velo": {"apps": ["blog"], "charter": {"presented": "2026-01-01"}}, "chorale": {}},
        apps={"wiki": {"charter": {"presented": {"on": "2026-02-01", "meeting": "AG"}}}},
    )
    assert part("À présenter", of) == [
        "- projet chorale", "- app blog", "- app chat", "- adminsys noe (proposé le 2026-11-01)",
    ]  # fmt: skip


@pytest.mark.parametrize(("review", "due"), [("2026-11-01", True), ("2026-12-24", True), ("2026-12-25", False)])
def test_relaxations_that_are_due_before_the_next_meeting(review: str, due: bool) -> None:
    of = config(apps={"blog": {"charter": relaxed("no_backup", review)}})
    expected = f"- blog, `no_backup`: d'ici \\*l'été\\* (depuis le 2026-01-01, à revoir le {review})"
    assert part("Points relâchés à revoir", of) == [expected if due else "- rien"]


def test_the_relaxation_that_is_due_first_comes_first() -> None:
    of = config(
        adminsys={"lea": {"charter": relaxed("no_charter", "2026-11-20")}},
        projects={"velo": {"charter": relaxed("unused", "2026-11-10")}},
    )
    assert [line.split(",")[0] for line in part("Points relâchés à revoir", of)] == ["- velo", "- lea"]


def test_incidents_of_the_month_and_those_that_still_last() -> None:
    over, lasting = STATUS.incidents[1], STATUS.incidents[0]
    old_over = replace(over, id=1, fired_at=OLD, resolved_at=OLD)
    old_lasting = replace(lasting, id=2, title="Vieux", fired_at=OLD)
    lines = part("Incidents", config(), incidents=[lasting, over, old_over, old_lasting])
    assert [line.partition("no. ")[2] for line in lines] == [
        "2), toujours en cours",
        "3), rétabli le 2026-11-23 03:45 +01:00",
        "7), toujours en cours",
    ]
    assert "Disque presque plein" in lines[1]


def test_each_host_says_what_it_holds() -> None:
    assert part("Hôtes de sauvegarde", config()) == [
        f"- alouette: apps sauvegardées: 1/1, la plus ancienne de leurs dernières sauvegardes: {NIGHT:%Y-%m-%d}, "
        "restaurations vérifiées: 1",
        "- merle: apps sauvegardées: 0/1, restaurations vérifiées: 0",
    ]


@pytest.mark.parametrize(
    ("language", "title", "line"),
    [("fr", "Place restante", "- 2,0 Go libres sur 8,0 Go sur /"), ("en", "Room left", "- 2.0 GB free of 8.0 GB on /")],
)
def test_room_left_in_the_language_of_the_colocation(language: str, title: str, line: str) -> None:
    assert part(title, config(language)) == [line]


@given(st.text(max_size=60))
def test_words_from_outside_neither_start_a_line_nor_are_markup(text: str) -> None:
    told = replace(STATUS.incidents[0], title=text)
    (line,) = part("Incidents", config(), incidents=[told])
    assert "\n" not in line
    assert "](" not in line
    assert "@" not in line.replace("\\@", "")
