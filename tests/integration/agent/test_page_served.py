"""The page over real HTTP: its paths, its headers, nothing sent twice, names that need quoting."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from agent.page.remembered import Told
from agent.page.routes import Shelf, page_routes
from agent.status import Status
from agent.web import Web
from tests.fakes.daemon_page import sample_status
from tests.fakes.pages import Page, paths_of


@pytest.fixture
def shown() -> Status:
    one = sample_status()
    return replace(one, apps=(replace(one.apps[0], id="l'été à deux"), *one.apps[1:]))


@pytest.fixture
def web(shown: Status) -> Iterator[Web]:
    found = Web("127.0.0.1", 0, page_routes(Shelf(lambda: shown, "fr", Told())))
    found.start()
    yield found
    found.stop()


def ask(web: Web, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    with closing(http.client.HTTPConnection(*web.address, timeout=5)) as connection:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def test_every_page_answers_in_both_languages_with_its_walls(web: Web, shown: Status) -> None:
    for path in paths_of(shown):
        for language in ("fr", "en"):
            status, body, headers = ask(web, path, Accept_Language=language)
            assert status == 200, path
            assert f'<html lang="{language}">' in body.decode()
            Page(body.decode())
            assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
            assert (headers["Referrer-Policy"], headers["X-Content-Type-Options"]) == ("no-referrer", "nosniff")
            assert headers["Vary"] == "Accept-Language"


def test_a_page_that_did_not_change_is_answered_with_its_headers_alone(web: Web) -> None:
    _, body, headers = ask(web, "/projects")
    assert int(headers["Content-Length"]) == len(body)
    status, nothing, again = ask(web, "/projects", If_None_Match=headers["ETag"])
    assert (status, nothing, again["ETag"], again["Content-Length"]) == (304, b"", headers["ETag"], None)
    assert ask(web, "/projects", "HEAD")[:2] == (200, b"")


@pytest.mark.parametrize("path", ["/apps/", "/apps/none", "/apps/wiki/x", "/apps/%ff%fe", "/projects/..", "/nowhere/"])
def test_what_is_not_there_is_not_found(web: Web, path: str) -> None:
    assert ask(web, path)[0] == 404


def test_before_the_first_look_nothing_is_said() -> None:
    web = Web("127.0.0.1", 0, page_routes(Shelf(lambda: None, "fr", Told())))
    web.start()
    try:
        assert ask(web, "/apps")[0] == 503
    finally:
        web.stop()
