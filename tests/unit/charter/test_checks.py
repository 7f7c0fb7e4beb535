"""The checks of the charter, line by line: each finds its point, and none ever names a person."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.charter.checks import bus_factors, charter_points, counts
from agent.charter.day_store import Watched
from agent.charter.facts import CharterFacts, Known, Service, charter_facts, kind_of, known_from
from agent.charter.glance import charter_lines
from agent.charter.point import CharterPoint
from agent.charter.words import CHECK_WORDS, advice, line, title
from agent.page.charter import charter_list
from agent.page.paper import escape
from agent.readings import Readings
from coloc.config.reading import parse_config
from coloc.config.register import CHECKS
from coloc.config.whole import Config
from coloc.inventory.projects import colocation
from coloc.model import App, AppState, Inventory

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
PRESENTED = {"presented": "2026-01-01"}
KEPT: dict[str, Any] = {
    "coloc": {"name": "test", "kind": "cloud"},
    "adminsys": {
        name: {"charter": {**PRESENTED, "accepted_charter": "2026-01-01"}} for name in ("lea-personne", "noe-personne")
    },
    "projects": {"velo": {"apps": ["nuage"], "adminsys": ["lea-personne", "noe-personne"]}},
    "apps": {"nuage": {"charter": PRESENTED}},
}
NUAGE = App("nuage", "nextcloud", "Nuage", domain="nuage.test", install_dir="/var/www/nuage")
KNOWN = Known(backed_up=frozenset({"nuage", "chat", "chat2", "blog"}), categories={"nuage": "synchronization/files"})
RELAXED = {"reason": "d'ici l'été", "on": "2026-01-01", "review": "2026-12-01"}
OVERDUE = {"reason": "d'ici l'été", "on": "2026-01-01", "review": "2026-11-22"}


def config(**changes: Any) -> Config:
    """The colocation that keeps every point, with other blocks."""
    return parse_config(json.dumps({**KEPT, **changes}).encode(), "coloc.yml")


def facts(*apps: App, known: Known = KNOWN, elsewhere: tuple[Service, ...] = (), **changes: Any) -> CharterFacts:
    of = config(**changes)
    inventory = Inventory({app.id: app for app in (apps or (NUAGE,))})
    return charter_facts(of, colocation(of, inventory), known, NOW, elsewhere)


def found(check: str, of: CharterFacts) -> list[CharterPoint]:
    return [point for point in charter_points(of) if point.check == check]


def app(name: str, base: str, **changes: Any) -> App:
    return dataclasses.replace(NUAGE, id=name, base_id=base, **changes)


def declared(*names: str, **project: Any) -> dict[str, Any]:
    """Blocks for apps that keep every point, in one project."""
    people = ["lea-personne", "noe-personne"]
    return {
        "projects": {"velo": {"apps": list(names), "adminsys": people, **project}},
        "apps": {name: {"charter": PRESENTED} for name in names},
    }


def test_a_colocation_that_keeps_its_charter_has_no_point() -> None:
    assert charter_points(facts()) == ()
    assert charter_lines((), "fr", PARIS) == ["\x1b[32mtous les points sont tenus\x1b[0m"]


@pytest.mark.parametrize(("people", "number"), [(["lea-personne"], 1), ([], 0)])
def test_a_project_that_one_person_alone_knows_is_a_point(people: list[str], number: int) -> None:
    of = facts(projects={"velo": {"apps": ["nuage"], "adminsys": people}})
    assert found("bus_factor", of) == [CharterPoint("bus_factor", "project", "velo", count=number)]
    assert bus_factors(of) == ({"nuage": number}, {"velo": number})


def test_a_shared_app_has_the_people_of_all_its_projects() -> None:
    projects = {name: {"adminsys": [f"{name}-personne"]} for name in ("lea", "noe")}
    shared = {"nuage": {"shared_by": {"lea": 1, "noe": 1}, "charter": PRESENTED}}
    of = facts(projects=projects, apps=shared)
    assert bus_factors(of) == ({"nuage": 2}, {"lea": 1, "noe": 1})
    assert [point.of for point in found("bus_factor", of)] == ["project", "project"]


@pytest.mark.parametrize(("on", "number"), [("2026-01-01", 2), ("2025-11-23", 2), ("2025-11-22", 1)])
def test_a_review_by_a_second_person_counts_for_a_year(on: str, number: int) -> None:
    project = {"apps": ["nuage"], "adminsys": ["lea-personne"], "charter": {"reviewed": {"by": "Camille", "on": on}}}
    of = facts(projects={"velo": project})
    assert bus_factors(of)[1] == {"velo": number}
    assert len(found("bus_factor", of)) == 2 - number


def test_a_review_by_the_adminsys_itself_is_not_a_second_person() -> None:
    review = {"reviewed": {"by": "lea-personne", "on": "2026-11-01"}}
    of = facts(projects={"velo": {"apps": ["nuage"], "adminsys": ["lea-personne"], "charter": review}})
    assert bus_factors(of)[1] == {"velo": 1}


def test_an_app_that_nobody_declared_or_presented_is_pointed_out() -> None:
    of = facts(projects={}, apps={})
    assert [point.subject for point in found("undeclared", of)] == ["nuage"]
    assert [point.subject for point in found("unpresented", of)] == ["nuage"]
    assert found("bus_factor", of) == []


def test_people_are_counted_and_never_named() -> None:
    of = facts(adminsys={"lea-personne": {}, "noe-personne": {}})
    assert found("unpresented", of) == [CharterPoint("unpresented", "people", count=2)]
    assert found("no_charter", of) == [CharterPoint("no_charter", "people", count=2)]


def test_the_page_counts_people_as_the_metric_does() -> None:
    points = charter_points(facts(adminsys={"lea-personne": {}, "noe-personne": {}}))
    assert f"{escape(title('no_charter', 'fr'))} (2)" in charter_list(points, "fr", PARIS, escape)
    assert counts(points)["no_charter"] == (2, 0)


def test_a_person_can_be_relaxed_apart() -> None:
    of = facts(adminsys={"lea-personne": {"charter": {"relaxed": {"no_charter": RELAXED}}}, "noe-personne": {}})
    points = found("no_charter", of)
    assert {(point.count, point.relaxed_until) for point in points} == {(1, ""), (1, "2026-12-01")}
    assert counts(points)["no_charter"] == (1, 1)


@pytest.mark.parametrize(
    ("here", "category", "wrong"),
    [
        ("cloud", "publishing/website", "cms"),
        ("cloud", "synchronization/files", None),
        ("cms", "synchronization/files", "cloud"),
        ("cms", "publishing", None),
        ("cms", "system_tools", None),
        ("cloud", "publishing/analytics", None),
        ("cloud", "", None),
    ],
)
def test_an_app_on_the_wrong_kind_of_server(here: str, category: str, wrong: str | None) -> None:
    known = dataclasses.replace(KNOWN, categories={"nuage": category})
    points = found("wrong_server", facts(known=known, coloc={"name": "test", "kind": here}))
    assert [point.names for point in points] == ([(wrong,)] if wrong else [])


def test_what_coloc_yml_says_of_an_app_s_kind_comes_before_the_catalog() -> None:
    apps = {"nuage": {"charter": {**PRESENTED, "kind": "cms", "category": "publishing/website"}}}
    assert [point.names for point in found("wrong_server", facts(apps=apps))] == [("cms",)]
    assert kind_of("publishing/website") == "cms"


CHATS = (app("chat", "mattermost"), app("chat2", "rocketchat"))
TALK = dataclasses.replace(KNOWN, categories={"chat": "communication/chat", "chat2": "communication/chat"})


def test_one_app_twice_is_several_instances_and_not_also_the_same_kind() -> None:
    twice = (app("chat", "mattermost"), app("chat2", "mattermost"))
    of = facts(*twice, known=TALK, **declared("chat", "chat2"))
    assert [(point.subject, point.names) for point in found("several_instances", of)] == [
        ("mattermost", ("chat", "chat2"))
    ]
    assert found("same_kind", of) == []


def test_two_apps_of_one_kind_are_one_point() -> None:
    of = facts(*CHATS, known=TALK, **declared("chat", "chat2"))
    assert found("several_instances", of) == []
    assert [(point.subject, point.names) for point in found("same_kind", of)] == [
        ("communication/chat", ("chat", "chat2"))
    ]


def test_an_empty_vessel_may_be_there_many_times() -> None:
    sites = (app("chat", "my_webapp"), app("chat2", "my_webapp"))
    assert found("several_instances", facts(*sites, **declared("chat", "chat2"))) == []


def test_other_servers_are_seen_as_well_but_not_what_is_theirs_alone() -> None:
    others = (
        Service("synapse", "synapse", "communication/chat", "alsace"),
        Service("nextcloud", "nextcloud", "synchronization/files", "alsace"),
        Service("gitea", "gitea", "dev/forge", "alsace"),
        Service("forgejo", "forgejo", "dev/forge", "lorraine"),
    )
    of = facts(CHATS[0], known=TALK, elsewhere=others, **declared("chat"))
    assert [point.names for point in found("same_kind", of)] == [("chat", "synapse (alsace)")]
    of = facts(elsewhere=others)
    assert [point.names for point in found("several_instances", of)] == [("nuage", "nextcloud (alsace)")]


def test_what_the_association_offers_already_is_told_once_with_the_link() -> None:
    offers = {"already_offered": {"communication": "https://chat.sans-nuage.test"}}
    of = facts(*CHATS, known=TALK, charter=offers, **declared("chat", "chat2"))
    (point,) = found("already_offered", of)
    assert (point.subject, point.names, point.link) == (
        "communication", ("chat", "chat2"), "https://chat.sans-nuage.test",
    )  # fmt: skip
    other = {"already_offered": {"communication/forum": "https://forum.test", "synchronization": "https://n.test"}}
    assert found("already_offered", facts(*CHATS, known=TALK, charter=other, **declared("chat", "chat2"))) == []


def test_files_changed_by_hand_are_named() -> None:
    files = tuple(f"/etc/nginx/{number}.conf" for number in range(30))
    (point,) = found("changed_files", facts(dataclasses.replace(NUAGE, modified_files=files)))
    assert (point.count, point.names) == (30, files[:20])
    assert "/etc/nginx/7.conf" in line(point, "fr", PARIS)
    assert line(point, "fr", PARIS).endswith("et d'autres")


def watched(days: int, **figures: float | None) -> Mapping[str, Watched]:
    return {"nuage": Watched(days, "2026-08-25", figures.get("requests"), figures.get("mails"))}


@pytest.mark.parametrize(
    ("seen", "unused"),
    [
        (watched(90, requests=0), True),
        (watched(81, requests=0), True),
        (watched(80, requests=0), False),
        (watched(90, requests=1), False),
        (watched(90), False),
        ({}, False),
    ],
)
def test_an_app_is_unused_only_when_nobody_came_while_the_agent_watched(
    seen: Mapping[str, Watched], unused: bool
) -> None:
    of = facts(known=dataclasses.replace(KNOWN, watched=seen))
    assert bool(found("unused", of)) is unused
    without_domain = facts(dataclasses.replace(NUAGE, domain=None), known=dataclasses.replace(KNOWN, watched=seen))
    assert found("unused", without_domain) == []


@pytest.mark.parametrize(
    ("allowed", "mails", "needless"), [(True, 0, True), (True, 1, False), (True, None, False), (False, 0, False)]
)
def test_the_right_to_send_mail_without_need(allowed: bool, mails: float | None, needless: bool) -> None:
    known = dataclasses.replace(KNOWN, watched=watched(90, mails=mails))
    of = facts(dataclasses.replace(NUAGE, mail_allowed=allowed), known=known)
    assert bool(found("mail_without_need", of)) is needless


def test_mailboxes_are_a_count() -> None:
    assert found("mailboxes", facts(known=dataclasses.replace(KNOWN, mailboxes=0))) == []
    (point,) = found("mailboxes", facts(known=dataclasses.replace(KNOWN, mailboxes=3)))
    assert (point.count, point.names, line(point, "fr", PARIS)) == (3, (), "3 boîte(s)")


@pytest.mark.parametrize(("days", "late"), [(183, True), (181, False)])
def test_an_app_that_was_not_upgraded_for_six_months(days: int, late: bool) -> None:
    known = dataclasses.replace(KNOWN, upgraded_at={"nuage": NOW - timedelta(days=days)})
    assert bool(found("no_upgrade", facts(known=known))) is late


@pytest.mark.parametrize(
    ("changes", "backed_up", "missing"),
    [
        ({}, True, False),
        ({}, False, True),
        ({"install_dir": None}, False, False),
        ({"do_not_backup_data": True, "data_dir": "/home/yunohost.app/nuage"}, True, True),
        ({"do_not_backup_data": True}, True, False),
    ],
)
def test_data_without_backup(changes: dict[str, Any], backed_up: bool, missing: bool) -> None:
    known = dataclasses.replace(KNOWN, backed_up=frozenset({"nuage"} if backed_up else ()))
    assert bool(found("no_backup", facts(dataclasses.replace(NUAGE, **changes), known=known))) is missing


def test_leftovers_of_apps_are_not_judged() -> None:
    stray = App("gone", "gone", "Gone", state=AppState.STRAY, install_dir="/var/www/gone")
    assert charter_points(facts(NUAGE, stray)) == ()


def test_a_relaxed_point_says_until_when_and_comes_back_after_that_day() -> None:
    known = dataclasses.replace(KNOWN, backed_up=frozenset())
    for relaxation, until, due in ((RELAXED, "2026-12-01", False), (OVERDUE, "", True)):
        of = facts(known=known, apps={"nuage": {"charter": {**PRESENTED, "relaxed": {"no_backup": relaxation}}}})
        (point,) = found("no_backup", of)
        assert (point.relaxed_until, point.review_due) == (until, due)
        assert counts([point])["no_backup"] == ((0, 1) if until else (1, 0))
    assert "relâché jusqu'au 2026-12-01" in line(dataclasses.replace(point, relaxed_until="2026-12-01"), "fr", PARIS)


def test_a_project_relaxes_its_apps_when_all_that_bear_them_agree() -> None:
    known = dataclasses.replace(KNOWN, backed_up=frozenset())
    shared = {"nuage": {"shared_by": {"velo": 1, "chorale": 1}, "charter": PRESENTED}}
    two = ["lea-personne", "noe-personne"]
    relaxed = {"adminsys": two, "charter": {"relaxed": {"no_backup": RELAXED}}}
    of = facts(known=known, apps=shared, projects={"velo": relaxed, "chorale": {"adminsys": two}})
    assert [point.relaxed_until for point in found("no_backup", of)] == [""]
    of = facts(known=known, apps=shared, projects={"velo": relaxed, "chorale": relaxed})
    assert [point.relaxed_until for point in found("no_backup", of)] == ["2026-12-01"]


def test_of_several_apps_the_relaxed_one_is_left_out_while_enough_remain() -> None:
    three = (*CHATS, app("chat3", "zulip"))
    known = dataclasses.replace(TALK, categories={**TALK.categories, "chat3": "communication/chat"})
    blocks = declared("chat", "chat2", "chat3")
    blocks["apps"]["chat"] = {"charter": {**PRESENTED, "relaxed": {"same_kind": RELAXED}}}
    (point,) = found("same_kind", facts(*three, known=known, **blocks))
    assert (point.names, point.relaxed_until) == (("chat2", "chat3"), "")
    (point,) = found(
        "same_kind", facts(*CHATS, known=TALK, **(blocks | {"projects": declared("chat", "chat2")["projects"]}))
    )
    assert (point.names, point.relaxed_until) == (("chat", "chat2"), "2026-12-01")


def test_every_check_has_words_in_both_languages_and_a_place_in_the_register() -> None:
    assert set(CHECK_WORDS) == set(CHECKS)
    for check in CHECKS:
        for words in (title, advice):
            assert words(check, "fr") != words(check, "en")
            assert words(check, "fr")
    text = " ".join(title(check, "fr") + advice(check, "fr") for check in CHECKS).lower()
    assert "infraction" not in text


def everything_wrong() -> CharterFacts:
    """A colocation in which every check finds something."""
    apps = (
        dataclasses.replace(NUAGE, modified_files=("/etc/x",), mail_allowed=True),
        app("chat", "mattermost"), app("chat2", "mattermost"), app("chat3", "zulip"), app("blog", "wordpress"),
    )  # fmt: skip
    kinds = {"chat": "communication/chat", "chat2": "communication/chat", "chat3": "communication/chat"}
    known = Known(
        {**kinds, "blog": "publishing/blog"}, {"nuage": NOW - timedelta(days=400)}, frozenset(),
        watched(90, requests=0, mails=0), 2,
    )  # fmt: skip
    return facts(
        *apps,
        known=known,
        adminsys={"lea-personne": {}},
        projects={"velo": {"apps": ["nuage"], "adminsys": ["lea-personne"]}},
        apps={},
        charter={"already_offered": {"communication": "https://chat.test"}},
    )


def test_every_check_can_find_something_and_none_names_a_person() -> None:
    points = charter_points(everything_wrong())
    assert {point.check for point in points} == set(CHECKS)
    for language in ("fr", "en"):
        told = "\n".join(charter_lines(points, language, PARIS)) + charter_list(points, language, PARIS, escape)
        assert "lea-personne" not in told


@given(st.text(max_size=80))
def test_hostile_names_stay_words(text: str) -> None:
    point = CharterPoint("changed_files", "app", text, names=(text,), count=1)
    for shown in charter_lines([point], "fr", PARIS):
        assert shown.replace("\x1b[1m", "").replace("\x1b[0m", "").isprintable()
    page = charter_list([point], "fr", PARIS, escape)
    assert page.count("<li>") == 1
    assert page.encode()


def test_what_collectors_say_becomes_known() -> None:
    readings = Readings(
        {
            "coloc_app_kind": {(("app", "nuage"), ("base", "nextcloud"), ("category", "synchronization")): 1.0},
            "coloc_app_upgraded_timestamp_seconds": {(("app", "nuage"),): NOW.timestamp()},
            "coloc_mailboxes_used": {(): 4.0},
        }
    )
    known = known_from(readings, frozenset({"nuage"}), {})
    assert (known.categories, known.upgraded_at, known.mailboxes) == (
        {"nuage": "synchronization"}, {"nuage": NOW}, 4,
    )  # fmt: skip
    assert known_from(Readings(), frozenset(), {}).mailboxes is None
