"""The register of the charter in coloc.yml: all of it optional, each mistake told with its line."""

from __future__ import annotations

from datetime import date

import pytest

from coloc.config.reading import parse_config
from coloc.config.register import CHECKS
from coloc.config.whole import Config
from coloc.errors import ConfigError

FULL = """\
coloc: {name: test}
adminsys:
  lea:
    charter: {member: true, accepted_charter: 2026-01-02, skills: [postgresql, "le réseau"], presented: 2026-03-14}
  camille:
projects:
  chorale:
    adminsys: [lea, camille]
    charter:
      proposed: "2026-02-01"
      presented: {on: 2026-03-14, meeting: assemblée de mars}
      accepted: 2026-03-14
      accepted_by: board
      agreed: un site, et rien d'autre
      agreed_on: 2026-03-20
      users: 40
      hours: {infrastructure: 0-2, app: 5-10}
      social_value: chanter ensemble
      local_contact: la présidente
      vouched_by: Noé
      reviewed: {by: camille, on: 2026-04-01}
      relaxed:
        bus_factor: {reason: une personne suffit d'ici l'été, on: 2026-03-14, review: 2026-09-01}
apps:
  wordpress: {charter: {kind: cms, category: publishing/website, notes: le thème est fait main}}
"""


def parse(text: str) -> Config:
    return parse_config(text.encode(), "coloc.yml")


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse("coloc: {name: test}\n" + text)
    return str(caught.value).splitlines()


def test_everything_of_the_register_may_be_left_out() -> None:
    config = parse("coloc: {name: test}\nprojects: {chorale: {}}\nadminsys: {lea: }\napps: {wordpress: {}}\n")
    assert config.projects["chorale"].charter.presented is None
    assert config.adminsys["lea"].charter.member is None
    assert config.apps["wordpress"].charter.relaxed == {}


def test_the_register_holds_what_was_agreed_and_who_was_presented() -> None:
    config = parse(FULL)
    chorale = config.projects["chorale"].charter
    assert chorale.proposed == date(2026, 2, 1)
    assert chorale.presented is not None
    assert (chorale.presented.on, chorale.presented.meeting) == (date(2026, 3, 14), "assemblée de mars")
    assert (chorale.hours.infrastructure, chorale.hours.app, chorale.users) == ("0-2", "5-10", 40)
    assert chorale.relaxed["bus_factor"].review == date(2026, 9, 1)
    lea = config.adminsys["lea"].charter
    assert lea.presented is not None
    assert (lea.presented.on, lea.presented.meeting) == (date(2026, 3, 14), None)
    assert lea.skills == ("postgresql", "le réseau")
    assert config.apps["wordpress"].charter.category == "publishing/website"


@pytest.mark.parametrize(
    "wrong", ["14/03/2026", "hier", "2026-02-30", "20260314", "true", "2026", "2026-03-14T10:00:00Z"]
)
def test_a_date_is_a_day_and_nothing_else(wrong: str) -> None:
    (line,) = mistakes(f"apps: {{w: {{charter: {{accepted: {wrong}}}}}}}\n")
    assert line == "coloc.yml, line 2: apps.w.charter.accepted: write a date such as 2026-03-14"


def test_hours_are_a_coarse_range_and_no_timesheet() -> None:
    (line,) = mistakes("projects: {p: {charter: {hours: {app: 7.5}}}}\n")
    assert "projects.p.charter.hours.app: is 7.5; write one of" in line
    assert "'5-10'" in line


def test_a_relaxation_has_a_reason_a_date_and_a_date_of_review() -> None:
    lines = mistakes("projects: {p: {charter: {relaxed: {bus_factor: {reason: trop petit}}}}}\n")
    assert [line.rpartition("bus_factor.")[2] for line in lines] == [
        "on: is missing; add it",
        "review: is missing; add it",
    ]
    (line,) = mistakes(
        "projects: {p: {charter: {relaxed: {bus_factor: {reason: r, on: 2026-03-14, review: 2026-03-14}}}}}\n"
    )
    assert line.endswith("review: must come after on:")


def test_a_check_that_nobody_knows_is_told_with_the_nearest() -> None:
    (line,) = mistakes(
        "projects: {p: {charter: {relaxed: {bus_facter: {reason: r, on: 2026-03-14, review: 2026-04-01}}}}}\n"
    )
    assert "is not a check that I know; did you mean 'bus_factor'?" in line


def test_a_check_cannot_be_relaxed_where_it_never_speaks() -> None:
    (line,) = mistakes(
        "adminsys: {lea: {charter: {relaxed: {bus_factor: {reason: r, on: 2026-03-14, review: 2026-04-01}}}}}\n"
    )
    assert line.endswith("adminsys.lea.charter.relaxed.bus_factor: speaks of apps or projects, not of adminsys")


@pytest.mark.parametrize("wrong", ["[]", "3", "{relaxed: []}", "{relaxed: {bus_factor: 3}}", "{relaxed: {[a]: b}}"])
def test_any_shape_is_refused_with_a_sentence(wrong: str) -> None:
    for kind in ("projects", "apps", "adminsys"):
        assert mistakes(f"{kind}: {{p: {{charter: {wrong}}}}}\n")


def test_every_check_is_told_in_the_reference(pytestconfig: pytest.Config) -> None:
    text = (pytestconfig.rootpath / "docs/reference/configuration.md").read_text()
    assert [check for check, kinds in CHECKS.items() if kinds and f"`{check}`" not in text] == []
