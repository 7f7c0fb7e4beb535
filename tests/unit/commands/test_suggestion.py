"""The suggested coloc.yml is one that we read ourselves, also with every example taken up, whatever apps are called."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.suggestion import Server, groups, kind_of, name_of, scalar, suggest
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.model import App, AppState, Inventory

HERE = Server("hautepierre", "Europe/Paris")


def inventory(*apps: App, domains: tuple[str, ...] = (), main: str | None = None) -> Inventory:
    return Inventory({app.id: app for app in apps}, (), domains, main)


def taken_up(text: str) -> str:
    """The file with every setting behind `#` taken up: `#` and no blank, or more than one."""
    return re.sub(r"(?m)^#(?=\S|  )", "", text)


def read(text: str) -> Config:
    return parse_config(text.encode(), "coloc.yml")


BLOG = App("wordpress", "wordpress", "Blog d'été", domain="blog.rosalinde.test")
CLOUD = App("nextcloud__2", "nextcloud", "Nuage", domain="rosalinde.test")
BOT = App("bot", "bot", "Bot")


def test_the_file_works_as_it_is_and_observes() -> None:
    config = read(suggest(inventory(BLOG, CLOUD, BOT), HERE))
    assert (config.coloc.name, config.stage, config.projects) == ("hautepierre", "observe", {})


def test_the_file_has_at_most_fifteen_lines_that_count() -> None:
    text = suggest(inventory(BLOG, CLOUD, BOT), HERE)
    assert len([line for line in text.splitlines() if line and not line.startswith("#")]) <= 15


def test_every_example_can_be_taken_up_at_once() -> None:
    found = inventory(
        BLOG, CLOUD, BOT, domains=("rosalinde.test", "blog.rosalinde.test", "main.test"), main="main.test"
    )
    text = taken_up(suggest(found, HERE)).replace("{exemple: 3, autre: 1}", "{rosalinde-test: 3, communs: 1}")
    config = read(text)
    assert config.projects["rosalinde-test"].apps == ("wordpress", "nextcloud__2")
    assert config.projects["communs"].apps == ("bot",)
    assert config.projects["rosalinde-test"].title == "Blog d'été, Nuage"
    assert set(config.backup.hosts) == {"alouette", "merle"}
    assert config.channels.matrix is not None
    assert config.apps["wiki"].is_declared


def test_a_server_without_apps_still_gets_a_file() -> None:
    text = suggest(inventory(), HERE)
    assert read(text).coloc.name == "hautepierre"
    assert "exemple" in taken_up(text)


def test_leftovers_of_an_app_are_not_suggested() -> None:
    stray = App("gone", "gone", "Gone", AppState.STRAY, domain="gone.test")
    assert "gone" not in suggest(inventory(stray), HERE)


def test_a_subdomain_joins_its_parent_but_not_the_main_domain() -> None:
    wiki = App("wiki", "wiki", "Wiki", domain="wiki.main.test")
    found = inventory(BLOG, CLOUD, wiki, domains=("rosalinde.test", "main.test"), main="main.test")
    by_domain = {domain: [app.id for app in apps] for domain, apps in groups(found, found.apps.values()).items()}
    assert by_domain == {"rosalinde.test": ["wordpress", "nextcloud__2"], "wiki.main.test": ["wiki"]}


@pytest.mark.parametrize(
    ("apps", "kind"),
    [((BLOG,), "cms"), ((CLOUD,), "cloud"), ((BLOG, CLOUD), "cloud"), ((BLOG, BLOG, CLOUD), "cms"), ((BOT,), "cloud")],
)
def test_the_kind_follows_from_the_apps(apps: tuple[App, ...], kind: str) -> None:
    assert kind_of(apps) == kind


def test_names_are_ones_that_coloc_yml_accepts() -> None:
    assert name_of("Été à l'Île !", ()) == "ete-a-l-ile"
    assert name_of("été", ("ete",)) == "ete-2"
    assert name_of("—", ()) == "projet"
    assert len(name_of("x" * 300, ())) <= 40


HOSTILE = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="\n\r#:'\"{}[]\\&*!|>%@`- \x85\u2028\u202e\x1b\x00", max_size=20),
    st.sampled_from(["yes", "null", "1e3", "~", "- a", "a: b", "a\nstage: enforce", 'x" #', "'", "0777", "2026-11-23"]),
)


@given(HOSTILE)
def test_a_scalar_is_one_line_and_reads_back_as_text(text: str) -> None:
    word = scalar(text)
    assert len(word.splitlines()) == 1
    value = yaml.safe_load(f"a: [{word}]\n")["a"]
    assert len(value) == 1
    assert isinstance(value[0], str)


def hostile_apps() -> Iterator[st.SearchStrategy[App]]:
    yield st.builds(App, HOSTILE, HOSTILE, HOSTILE, domain=st.one_of(st.none(), HOSTILE))


@settings(max_examples=60, deadline=None)
@given(st.lists(next(hostile_apps()), max_size=4), HOSTILE)
def test_whatever_apps_are_called_the_file_says_what_we_meant(apps: list[App], host: str) -> None:
    text = suggest(inventory(*apps), Server(host, "Europe/Paris", "/"))
    assert (read(text).stage, read(text).projects) == ("observe", {})
    full = read(re.sub(r"(?m)^    shared_by:.*\n", "    label: x\n", taken_up(text)))
    found = sum((project.apps for project in full.projects.values()), ())
    assert len(found) == len({app.id for app in apps}) or not apps
    assert full.stage == "observe"
