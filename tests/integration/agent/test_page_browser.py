"""The page in a real Chromium: clicked through in both languages and both schemes, and judged by axe."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from agent.page.parts import PARTS
from agent.page.remembered import Told
from agent.page.routes import Shelf, page_routes
from agent.web import Web
from tests.fakes.axe import axe_source, violations
from tests.fakes.chromium import Chromium, chromium
from tests.fakes.page_scene import calm, past, scene
from tests.fakes.pages import HOSTILE, month, status

WIDE, PHONE = (1000, 800), (390, 800)
TITLE = "document.querySelector('h1').innerText"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    shown = scene()
    found = Web("127.0.0.1", 0, page_routes(Shelf(lambda: shown, "fr", past(shown))))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_source()


def paths() -> list[str]:
    return [*(f"/{part.path}" for part in PARTS), "/projects/velo", "/apps/nextcloud", "/apps/nowhere"]


@pytest.mark.parametrize(("language", "scheme"), [("fr", "light"), ("fr", "dark"), ("en", "light"), ("en", "dark")])
def test_axe_finds_nothing_wrong_with_any_page(
    browser: Chromium, web: Web, axe: str, language: str, scheme: str
) -> None:
    browser.reads(language, scheme)
    wrong = {}
    for number, path in enumerate(paths()):
        browser.size(*(PHONE if (number + len(language + scheme)) % 2 else WIDE))
        browser.open(f"{web.url}{path}")
        assert browser.evaluate("document.documentElement.lang") == language
        wrong[path] = violations(browser, axe)
    assert {path: found for path, found in wrong.items() if found} == {}


def test_dark_is_dark_and_light_is_light(browser: Chromium, web: Web) -> None:
    papers = []
    for scheme in ("light", "dark"):
        browser.reads("fr", scheme)
        browser.open(web.url)
        papers.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert papers == ["rgb(251, 250, 247)", "rgb(23, 26, 25)"]


def test_a_volunteer_clicks_from_the_verdict_to_an_app_and_changes_the_language(browser: Chromium, web: Web) -> None:
    browser.reads("fr", "light")
    browser.size(*WIDE)
    browser.complaints.clear()
    browser.open(web.url)
    assert browser.evaluate(TITLE) == "Un incident en cours"
    for selector, title in (
        ('nav a[href="projects"]', "Projets"),
        ('a[href="projects/velo"]', "Atelier vélo"),
        ('a[href="../apps/mattermost"]', "Tchat"),
        ('nav a[href="../backups"]', "Sauvegardes"),
        ('footer a[hreflang="en"]', "Backups"),
        ('nav a[href="charter?lang=en"]', "Charter"),
        ('nav a[href="./?lang=en"]', "One incident is open"),
    ):
        browser.click(selector)
        assert browser.evaluate(TITLE) == title, selector
    assert browser.complaints == []


def test_nothing_is_wider_than_a_phone(browser: Chromium, web: Web) -> None:
    browser.reads("fr", "light")
    browser.size(*PHONE)
    wide = {}
    for path in paths():
        browser.open(f"{web.url}{path}")
        wide[path] = browser.evaluate(TOO_WIDE)
    assert {path: pixels for path, pixels in wide.items() if pixels > 0} == {}


def test_every_request_goes_to_the_agent_alone(browser: Chromium, web: Web) -> None:
    browser.open(f"{web.url}/backups")
    asked = browser.evaluate("performance.getEntries().map(each => each.name).filter(name => name.includes('://'))")
    assert {urlsplit(name).netloc for name in asked} == {urlsplit(web.url).netloc}
    assert browser.evaluate("document.scripts.length") == 0


def test_hostile_names_do_nothing_and_a_calm_night_says_so(browser: Chromium, axe: str) -> None:
    hostile, quiet = status(HOSTILE), calm(scene())
    now = [hostile, quiet]
    web = Web("127.0.0.1", 0, page_routes(Shelf(lambda: now[0], "fr", month(hostile))))
    web.start()
    try:
        browser.reads("fr", "light")
        browser.complaints.clear()
        for path in ("", "/projects", "/apps", "/backups", "/maintenance"):
            browser.open(f"{web.url}{path}")
            assert browser.evaluate("document.scripts.length") == 0
            assert violations(browser, axe) == []
        browser.open(f"{web.url}/apps")
        browser.click("main td a")
        assert browser.evaluate("document.querySelector('h1').innerText").startswith("<script>alert('x')</script>")
        now.pop(0)
        browser.open(web.url)
        assert browser.evaluate(TITLE) == "Tout va bien"
        assert browser.complaints == []
    finally:
        web.stop()


def test_the_browser_applies_no_style_and_runs_no_script_that_is_not_ours(browser: Chromium, web: Web) -> None:
    browser.open(web.url)
    tried = browser.evaluate(
        "(() => { const s = document.createElement('style'); s.textContent = 'body{color:red}';"
        "document.head.append(s);"
        "const j = document.createElement('script'); j.textContent = 'window.ran = 1'; document.head.append(j);"
        "return [getComputedStyle(document.body).color === 'rgb(255, 0, 0)', window.ran === 1] })()"
    )
    assert tried == [False, False]
    browser.complaints.clear()


def test_a_state_that_cannot_be_read_still_has_its_page(browser: Chromium, axe: str) -> None:
    shown = scene()
    web = Web("127.0.0.1", 0, page_routes(Shelf(lambda: shown, "fr", Told(None, None))))
    web.start()
    try:
        browser.open(f"{web.url}/backups")
        assert "ne peut pas être lu" in browser.evaluate("document.body.innerText")
        assert violations(browser, axe) == []
    finally:
        web.stop()
