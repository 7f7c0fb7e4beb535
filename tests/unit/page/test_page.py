"""The page: whatever people are called each stays one small, valid document, in two languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agent.page
from agent.incidents import Phase, Severity
from agent.page.calendar import WEEK
from agent.page.figures import figure, human_bytes
from agent.page.parts import PARTS
from agent.page.style import STYLE, STYLE_HASH
from agent.page.use import RESOURCES as USED
from agent.page.words import FRENCH, MAINTENANCE_PHASES, language_of, word
from agent.quotas import QuotaStep
from agent.status import FairUseStatus, HeldStatus, to_json
from coloc.config.projects import RESOURCES, Project
from coloc.model import AppState
from tests.fakes.page_scene import past, scene
from tests.fakes.pages import HOSTILE, NOW, Page, ask, bare, month, paths_of, render, status


@pytest.mark.parametrize("language", ["fr", "en"])
def test_hostile_names_stay_words_on_every_page(language: str) -> None:
    shown = status(HOSTILE)
    for path in paths_of(shown):
        text = render(shown, language, path)
        page = Page(text)
        assert "script" not in page.tags
        assert "<script" not in text
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b\ud800-\udfff]", text)
        assert text.encode("utf-8")
        assert any("<script>alert('x')</script>" in words for words in page.words)


PLAIN = [Page(render(status(), path=path)).tags for path in paths_of(status())]


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=30))
def test_whatever_the_name_every_document_stays_whole(name: str) -> None:
    for plain, named in zip(PLAIN, paths_of(status(name)), strict=True):
        found = ask(status(name), named, remembered=month(status(name)))
        if found.status is HTTPStatus.OK:  # a name that no address can hold has no page of its own
            assert Page(found.body.decode()).tags == plain


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_link_of_every_page_leads_somewhere(language: str) -> None:
    shown = status("l'été")
    for path in paths_of(shown):
        for link in Page(render(shown, language, path)).links:
            at = urlsplit(urljoin(f"http://here/below/a/prefix{path}", link))
            assert at.hostname == "here", "no foreign host"
            inside = at.path.removeprefix("/below/a/prefix")
            assert inside in {*paths_of(shown), "/metrics", "/api/v1/status"}, (path, link)


def test_a_page_that_is_not_there_says_so_and_leads_back() -> None:
    found = ask(status(), "/apps/nowhere", "en")
    assert found.status is HTTPStatus.NOT_FOUND
    assert "There is no such page" in found.body.decode()
    for path in ("/apps/blog/more", f"/apps/{'x' * 400}", "/apps/%2e%2e", "/projects/_none"):
        assert ask(status(), path).status is HTTPStatus.NOT_FOUND


def test_a_browser_that_has_the_page_is_not_sent_it_again() -> None:
    first = ask(status())
    again = ask(status(), If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    later = replace(status(), incidents=())
    assert ask(later, If_None_Match=first.headers["ETag"]).status is HTTPStatus.OK
    assert ask(status(), language="en").headers["ETag"] != first.headers["ETag"]


def test_a_language_that_was_chosen_goes_along_and_another_one_is_ignored() -> None:
    chosen = Page(ask(status(), "/projects/blog", "fr", lang="en").body.decode())
    assert "Projects" in chosen.words
    assert {"../apps?lang=en", "../apps/blog?lang=en", "../?lang=en", "?lang=fr"} <= set(chosen.links)
    assert "Projets" in Page(ask(status(), "/projects", "fr", lang="xx").body.decode()).words
    assert "apps" in Page(ask(status(), "/projects", "fr").body.decode()).links


def test_nothing_runs_and_nothing_comes_from_elsewhere() -> None:
    for path in paths_of(status()):
        found = ask(status(), path)
        assert STYLE_HASH in found.headers["Content-Security-Policy"]
        assert "unsafe" not in found.headers["Content-Security-Policy"]
        text = found.body.decode()
        assert f"<style>{STYLE}</style>" in text
        assert not {"script", "img", "iframe", "form", "link"} & set(Page(text).tags)
        assert not re.search(r"(?:src|url|@import)\s*[=(]", text)


def test_what_was_not_measured_is_a_dash_and_never_a_zero() -> None:
    one = status()
    nothing: dict[str, Any] = {"cpu_cores": None, "memory_bytes": None, "disk_bytes": None, "database_bytes": None}
    unknown = replace(
        one,
        apps=(replace(one.apps[0], up=None, **nothing),),
        projects=(replace(one.projects[0], quotas=(), **nothing),),
    )
    projects, apps = (bare(render(unknown, "en", path)) for path in ("/projects", "/apps"))
    assert [text.count('<td class="n">—</td>') for text in (projects, apps)] == [4, 4]
    assert "<td>—</td>" in projects
    assert "unknown" in Page(apps).words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (float("inf"), "—"),
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1.0 kB"),
        (1500, "1.5 kB"),
        (123_456, "123 kB"),
        (999_960, "1.0 MB"),
        (1.5e9, "1.5 GB"),
        (5e13, "50.0 TB"),
    ],
)
def test_sizes_for_people(size: float | None, words: str) -> None:
    assert human_bytes(size) == words


@pytest.mark.parametrize(
    ("text", "french"),
    [("0.02", "0,02"), ("1.5 GB", "1,5 Go"), ("12 B", "12 o"), ("2.0 MB/s", "2,0 Mo/s"), ("—", "—")],
)
def test_figures_are_written_as_in_the_reader_s_language(text: str, french: str) -> None:
    assert (figure(text, "fr"), figure(text, "en")) == (french, text)


def test_the_french_pages_have_no_english_figure() -> None:
    for path in ("/projects", "/apps", "/projects/blog", "/apps/blog"):
        found = re.findall(r'<td class="n">([^<]*)</td>', bare(render(status(), "fr", path)))
        assert any("," in cell for cell in found)
        assert [cell for cell in found if "." in cell or "B" in cell] == []


def test_sixty_apps_on_three_hosts_weigh_less_than_a_hundred_kilobytes() -> None:
    many = scene(60)
    weights = {path: len(render(many, "fr", path, past(many)).encode()) for path in paths_of(many)}
    assert max(weights.values()) < 100_000, max(weights.items(), key=lambda item: item[1])


def test_a_hundred_incidents_are_twenty_lines_and_where_to_read_on() -> None:
    many = replace(status(), incidents=status().incidents * 100)
    text = bare(render(many, "en"))
    assert text.count("<td>#7 ") == 20
    assert "80 more" in text


def test_an_empty_colocation_says_so_in_words() -> None:
    empty = replace(status(), projects=(), apps=(), hosts=(), backups=(), incidents=(), blind_spots=())
    assert "Tout va bien" in Page(render(empty)).words
    assert "Aucun projet n'est encore déclaré" in Page(render(empty, path="/projects")).words
    assert "Aucun hôte de sauvegarde n'est encore déclaré" in Page(render(empty, path="/backups")).words
    assert "Tous ses points sont tenus" in Page(render(empty, path="/charter")).words


def test_a_host_that_is_called_like_a_word_of_ours_keeps_its_name() -> None:
    named = replace(status(), hosts=("down", "disk"))
    heads = re.findall(r'<th scope="col">([^<]*)</th>', render(named, "fr", "/backups"))
    assert heads[-2:] == ["down", "disk"]


def test_times_have_their_offset_and_what_never_was_is_never() -> None:
    never = replace(status(), backups=(replace(status().backups[0], last_success_at=None),))
    text = render(never, "en", "/backups")
    assert '<time datetime="2026-11-23T12:00Z">2026-11-23 13:00 +01:00</time>' in text
    assert "never" in Page(text).words


def test_a_project_and_an_app_show_their_own_incidents_and_no_other() -> None:
    one = status()
    incidents = (
        replace(one.incidents[0], id=1, title="of the app"),
        replace(one.incidents[0], id=2, title="of the project", app="", project="blog"),
        replace(one.incidents[0], id=3, title="of another", app="wiki", project="chorale"),
        replace(one.incidents[0], id=4, title="of the machine", app=""),
    )
    shown = replace(one, incidents=incidents)
    assert re.findall(r"<td>#\d", bare(render(shown, "en", "/apps/blog"))) == ["<td>#1"]
    assert re.findall(r"<td>#\d", bare(render(shown, "en", "/projects/blog"))) == ["<td>#1", "<td>#2"]
    assert re.findall(r"<td>#\d", bare(render(shown, "en", "/"))) == ["<td>#1", "<td>#2", "<td>#3", "<td>#4"]


def used_words() -> set[str]:
    """Every literal that the pages hand to the dictionary, as the source says."""
    found = set[str]()
    for file in Path(agent.page.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                if node.func.attr in {"word", "plain", "table"}:
                    found |= _texts(node.args[0])
                if node.func.attr == "commands":
                    found |= {text for pair in node.args for text in _texts(getattr(pair, "elts", [pair])[0])}
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "word":
                found |= _texts(node.args[0])
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_listed":
                found |= _texts(node.args[1])
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "heads":
                found |= _texts(node.value)
    return found | {part.entry for part in PARTS}


def _texts(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def test_every_word_of_the_page_has_its_french() -> None:
    assert len(used_words()) >= 70
    assert used_words() - set(FRENCH) == set()


@pytest.mark.parametrize(
    "words",
    [
        QuotaStep,
        Severity,
        [Phase.FIRING, Phase.CLEARING],
        RESOURCES,
        AppState,
        get_args(Project.types()["kind"]),
        MAINTENANCE_PHASES.values(),
        WEEK,
        [title for title, *_ in USED],
    ],
    ids=["steps", "severities", "phases", "resources", "states", "kinds", "maintenances", "week", "curves"],
)
def test_every_value_that_the_page_shows_has_its_french(words: Iterable[object]) -> None:
    assert {str(each) for each in words} - set(FRENCH) == set()


def test_english_is_the_key_and_an_unknown_word_is_itself() -> None:
    assert (word("Apps", "en"), word("Backups", "fr"), word("Zzz", "fr")) == ("Apps", "Sauvegardes", "Zzz")
    assert all(text.strip() == text != "" for text in FRENCH.values())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("en", "en"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("de,en-GB;q=0.7", "en"),
        ("de", "fr"),
        (",;,;q=", "fr"),
        ("x," * 10_000 + "en", "fr"),
        (" EN ", "en"),
        ("fr;q=0.2, en;q=0.9", "en"),
        ("en;q=0, fr", "fr"),
        ("en;q=0", "fr"),
        ("en;q=x", "fr"),
        ("en-GB;q=0.5, en;q=0.9, fr;q=0.7", "en"),
        ("eng", "fr"),
    ],
)
def test_the_language_of_the_reader(header: str, language: str) -> None:
    assert language_of(header, "fr") == language


def test_the_status_as_json_has_times_as_text_and_no_number_that_json_lacks() -> None:
    values = to_json(replace(status(), apps=(replace(status().apps[0], cpu_cores=float("nan")),)))
    assert values["at"] == "2026-11-23T12:00:00.000000+00:00"
    assert values["apps"][0]["cpu_cores"] is None
    assert values["projects"][0]["quotas"][0]["since"] == values["at"]


def test_fair_use_is_shown_where_slices_are_and_nowhere_else() -> None:
    assert "Fair use" not in render(status(), "en", "/projects")
    use = (FairUseStatus("velo", 0.25, 1.0, 0.5, ("chorale", HOSTILE)), FairUseStatus("chorale", 0.75, 0.0, 0.0))
    text = bare(render(replace(status(), fair_use=use), "fr", "/projects"))
    for words in (
        "Partage du processeur",
        "<td>25 %</td><td>100 %</td><td>50 %</td>",
        "à cause de",
        "chorale, &lt;script",
    ):
        assert words in text


def test_what_is_held_is_not_called_a_simulation() -> None:
    one = status()
    held = HeldStatus("throttle", NOW, 1.0, 1.0, "did", "call", "file", "says", True, "")
    for stands in (True, False):
        quota = replace(one.projects[0].quotas[0], held=replace(held, stands=stands))
        text = render(replace(one, projects=(replace(one.projects[0], quotas=(quota,)),)), "fr", "/projects")
        assert ("ralenti" in text) == stands
        assert ("simulation" in text) == (not stands)
