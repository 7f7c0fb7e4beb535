"""A project's public page: only for who has its link, and nothing on it about any person, host or other project."""

from __future__ import annotations

from dataclasses import replace
from email.message import Message
from http import HTTPStatus
from pathlib import Path

import pytest

from agent.checks import secret_points
from agent.page.public import PUBLIC, public_route
from agent.page.public_links import PublicLinks, public_links
from agent.page.routes import Shelf
from agent.status import Status
from agent.web import Request, Response
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.errors import ConfigError
from tests.fakes.page_scene import past, scene
from tests.fakes.pages import HOSTILE, Page, month, status

LINK = "Zk9-_mY2sP4qR7tV1wX3zA5b"


def config(folder: Path, **files: str) -> Config:
    """Projects, each with a file that holds this."""
    text = "coloc: {name: test}\nprojects:\n"
    for project, secret in files.items():
        file = folder / project
        file.write_text(f"{secret}\n")
        file.chmod(0o600)
        text += f"  {project}: {{public_link_file: {file}}}\n"
    return parse_config(text.encode(), "coloc.yml")


def ask(shown: Status | None, links: PublicLinks, link: str, language: str = "fr") -> Response:
    headers = Message()
    headers["Accept-Language"] = language
    remembered = past(shown) if shown else month(status())
    return public_route(Shelf(lambda: shown, "fr", remembered), links)(Request(f"{PUBLIC}{link}", {}, headers))


@pytest.fixture
def links(tmp_path: Path) -> PublicLinks:
    return public_links(config(tmp_path, velo=LINK, chorale=LINK[::-1]))


def test_without_a_link_there_is_no_public_page() -> None:
    assert not public_links(parse_config(b"coloc: {name: test}\nprojects: {velo: {}}\n", "coloc.yml"))


def test_each_link_shows_its_project_and_any_other_path_is_not_found(links: PublicLinks) -> None:
    assert "Atelier vélo" in ask(scene(), links, LINK).body.decode()
    assert "Chorale du Port" in ask(scene(), links, LINK[::-1]).body.decode()
    for wrong in ("", LINK[:-1], LINK.lower(), f"{LINK}/", "velo", "\udce9" * 30):
        found = ask(scene(), links, wrong)
        assert (found.status, found.body) == (HTTPStatus.NOT_FOUND, b"not found\n")
    assert ask(replace(scene(), projects=()), links, LINK).status is HTTPStatus.NOT_FOUND
    assert ask(None, links, LINK).status is HTTPStatus.SERVICE_UNAVAILABLE


def test_no_person_no_host_no_other_project_and_no_text_of_an_incident_is_on_it(links: PublicLinks) -> None:
    shown = scene()
    shown = replace(shown, incidents=tuple(replace(each, resolved_at=None) for each in shown.incidents))
    for language in ("fr", "en"):
        text = ask(shown, links, LINK, language).body.decode()
        words = " ".join(Page(text).words).lower()
        people = {name for project in shown.projects for name in project.adminsys} | {"léa"}
        for never in (
            *people,
            *shown.hosts,
            "chorale",
            "cantine",
            "mise à jour",
            "nextcloud",
            "répond par des erreurs",
            LINK.lower(),
        ):
            assert never not in words, never
        for always in ("tableau des tâches", "2026-11-26", "10,0 go" if language == "fr" else "10.0 gb"):
            assert always in words
        assert ("2 incidents en cours" if language == "fr" else "2 incidents are open") in words


def test_nobody_may_keep_it_find_it_or_learn_its_address(links: PublicLinks) -> None:
    found = ask(scene(), links, LINK)
    assert found.headers["Cache-Control"] == "no-store"
    assert found.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in found.headers["X-Robots-Tag"]
    assert '<meta name="robots" content="noindex' in found.body.decode()
    assert "ETag" not in found.headers
    page = Page(found.body.decode())
    assert page.links == ["#content", "?lang=en"]


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    links = PublicLinks(tuple((digest, HOSTILE) for digest, _ in public_links(config(tmp_path, velo=LINK)).digests))
    text = ask(status(HOSTILE), links, LINK).body.decode()
    assert "script" not in Page(text).tags
    assert "<script" not in text


@pytest.mark.parametrize(
    "secret", ["short", "x" * 201, "with spaces in it, and longer", "é" * 30, "a/b/c/d/e/f/g/h/i/j/k/l/m/n"]
)
def test_a_secret_that_is_no_link_is_told_without_being_shown(tmp_path: Path, secret: str) -> None:
    found = config(tmp_path, velo=secret)
    with pytest.raises(ConfigError) as told:
        public_links(found)
    assert secret not in told.value.sentence() + told.value.hint
    (point,) = secret_points(found)
    assert (point.subject, point.ok) == ("projects.velo.public_link_file", False)


def test_two_projects_do_not_share_a_link_and_the_secrets_are_not_kept(tmp_path: Path, links: PublicLinks) -> None:
    with pytest.raises(ConfigError, match="the same public link"):
        public_links(config(tmp_path, velo=LINK, chorale=LINK))
    assert LINK not in repr(links) + str(links.digests)
