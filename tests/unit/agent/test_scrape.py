"""Which bytes a scraper gets."""

from __future__ import annotations

import gzip
from email.message import Message
from http import HTTPStatus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily

from agent.scrape import accepts_gzip, metrics, scrape_routes, wants_openmetrics
from agent.web import Request, Response
from collectors.exposition import OPENMETRICS, TEXT, encode, expose

FOUND = expose(encode(name, [GaugeMetricFamily(f"coloc_{name}", "X.", value=1)]) for name in ("a", "b"))
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_TEXT_FIRST = "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.9"


def ask(query: dict[str, tuple[str, ...]] | None = None, **headers: str) -> Response:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return metrics(Request("/metrics", query or {}, message), FOUND)


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        (PROMETHEUS_2, True),
        (PROMETHEUS_TEXT_FIRST, False),
        ("", False),
        ("*/*", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=x", False),
    ],
)
def test_the_format_is_the_one_that_is_liked_best(accept: str, is_openmetrics: bool) -> None:
    response = ask(Accept=accept)
    assert response.content_type == (OPENMETRICS if is_openmetrics else TEXT)
    assert response.body == (FOUND.openmetrics if is_openmetrics else FOUND.text)


def test_gzip_only_for_those_who_take_it() -> None:
    response = ask(Accept_Encoding="gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.body) == FOUND.text
    assert "Content-Encoding" not in ask(Accept_Encoding="identity, gzip;q=0").headers


def test_filters() -> None:
    assert ask({"collect[]": ("b",)}).body == FOUND.pieces[1].text
    assert ask({"exclude[]": ("b",)}).body == FOUND.pieces[0].text
    assert ask({"collect[]": ("nobody",)}).status == HTTPStatus.BAD_REQUEST
    assert ask({"collect[]": ("a",), "exclude[]": ("b",)}).status == HTTPStatus.BAD_REQUEST
    assert ask({"exclude[]": ("b", "nobody")}).body == FOUND.pieces[0].text
    assert ask({"collect[]": ("a", "b", "a")}).body == FOUND.text


def test_a_collector_that_has_found_nothing_yet_can_be_asked_for() -> None:
    early = expose([], ["disk"])
    response = metrics(Request("/metrics", {"collect[]": ("disk",)}, Message()), early)
    assert (response.status, response.body) == (HTTPStatus.OK, b"")


def test_how_the_collectors_are_doing_comes_with_any_choice_of_them() -> None:
    pieces = [encode(name, [GaugeMetricFamily(f"coloc_{name}", "X.", value=1)]) for name in ("a", "b", "agent")]
    found = expose(pieces)
    chosen = metrics(Request("/metrics", {"collect[]": ("a",)}, Message()), found)
    assert chosen.body == pieces[0].text + pieces[2].text
    without = metrics(Request("/metrics", {"exclude[]": ("agent",)}, Message()), found)
    assert without.body == pieces[0].text + pieces[1].text


def test_gzip_is_the_quick_one() -> None:
    body = ask(Accept_Encoding="gzip").body
    assert body == gzip.compress(FOUND.text, compresslevel=1, mtime=0)


@pytest.mark.parametrize("seconds", ["10", "0.001", "-1", "soon", ""])
def test_whatever_time_the_scraper_has_the_answer_is_there(seconds: str) -> None:
    assert ask(X_Prometheus_Scrape_Timeout_Seconds=seconds).body == FOUND.text


def test_a_choice_comes_in_every_form() -> None:
    chosen = ask({"collect[]": ("b",)}, Accept=PROMETHEUS_2, Accept_Encoding="gzip")
    assert gzip.decompress(chosen.body) == FOUND.pieces[1].openmetrics + b"# EOF\n"


def test_before_the_first_look_there_is_nothing() -> None:
    assert metrics(Request("/metrics", {}, Message()), None).status == HTTPStatus.SERVICE_UNAVAILABLE


def test_health_and_readiness_differ() -> None:
    routes = scrape_routes(lambda: None, lambda: False)
    assert routes["/-/healthy"](Request("/-/healthy", {}, Message())).status == HTTPStatus.OK
    assert routes["/-/ready"](Request("/-/ready", {}, Message())).status == HTTPStatus.SERVICE_UNAVAILABLE


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_header_makes_it_fail(header: str) -> None:
    wants_openmetrics(header)
    accepts_gzip(header)
