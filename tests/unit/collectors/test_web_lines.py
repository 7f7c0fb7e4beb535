"""What a line of nginx's log counts as, and for which app."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.web_lines import BYTES, CELL, FIRST_BUCKET, PIECE, SECONDS, LineCounter, new_cell
from collectors.web_routes import Routes, plain_prefix, routes_by_domain
from coloc.model import App

ROUTES = Routes({"": "root", "/blog": "blog", "/.well-known/matrix": "chat", "/lab": "lab", "/lab/admin": "lab"})

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def counted(data: bytes, routes: Routes = ROUTES) -> tuple[dict[str, list[float]], int]:
    cells: dict[str, list[float]] = {}
    counter = LineCounter(lambda app: cells.setdefault(app, new_cell()))
    counter.count(data, routes)
    return {app: cell for app, cell in cells.items() if any(cell)}, counter.odd


def line(request: str, answer: str = "200 10", more: str = "") -> bytes:
    return f'192.0.2.7 - camille [24/Nov/2026:03:00:00 +0000] "{request}" {answer} "-" "curl/7.88"{more}\n'.encode()


@pytest.mark.parametrize(
    ("target", "app"),
    [
        ("/", "root"),
        ("/?p=1", "root"),
        ("/wp-login.php?x=/blog", "root"),
        ("/blog", "blog"),
        ("/blog?x", "blog"),
        ("/blog/", "blog"),
        ("/blog/2026/11", "blog"),
        ("/blogging", "root"),
        ("//blog/x", "blog"),
        ("/./blog/x", "blog"),
        ("/%62log/x", "blog"),
        ("/x/../blog", "root"),
        ("/lab/admin/x", "lab"),
        ("/.well-known/matrix/server", "chat"),
        ("/.well-known/acme", "root"),
        ("/.well-known", "root"),
        ("/yunohost/sso/?r=x", "_none"),
        ("/yunohost", "_none"),
        ("http://a.test/blog/x", "blog"),
        ("http://a.test", "root"),
        ("*", "_none"),
    ],
)
def test_a_request_belongs_to_the_longest_prefix(target: str, app: str) -> None:
    cells, odd = counted(line(f"GET {target} HTTP/2.0"))
    assert (list(cells), odd) == ([app], 0)


def test_a_request_that_is_none_belongs_to_nobody_but_counts() -> None:
    for request in ("\\x16\\x03\\x01", "", "-", "GET", "blog/x"):
        cells, odd = counted(line(request, "400 150"))
        assert cells["_none"][4] == 1
        assert odd == 0


def test_classes_bytes_and_times_add_up() -> None:
    data = (
        line("GET / HTTP/1.1", "200 7", " 0.070") + line("POST / HTTP/1.1", "503 5", " 2.500") + line("GET / HTTP/1.1")
    )
    root = counted(data)[0]["root"]
    assert root[BYTES] == 22
    assert root[1:6] == [0, 2, 0, 0, 1]
    assert root[SECONDS] == pytest.approx(2.57)
    assert root[FIRST_BUCKET:] == [0, 1, 0, 0, 0, 1, 0, 0, 0]


def test_a_websocket_has_no_time() -> None:
    root = counted(line("GET / HTTP/1.1", "101 7", " 3600.1"))[0]["root"]
    assert root[1] == 1
    assert root[SECONDS] == 0


@pytest.mark.parametrize("time", [" nan", " inf", " -1", " -", " 1e300", " x", ' "y"'])
def test_a_time_that_is_none_leaves_the_request_counted(time: str) -> None:
    cells, odd = counted(line("GET / HTTP/1.1", more=time))
    assert (not cells and odd == 1) or (cells["root"][2] == 1 and cells["root"][SECONDS] == 0)


@pytest.mark.parametrize(
    "answer", ["200 -5", "000 1", "999 1", "200 x", "200", "", "2x0", "200 9999999999999999999999"]
)
def test_an_answer_that_nginx_does_not_write_is_odd(answer: str) -> None:
    assert counted(line("GET / HTTP/1.1", answer)) == ({}, 1)


def test_an_odd_line_spoils_no_other() -> None:
    good = line("GET /blog/ HTTP/1.1") * 3
    for odd in (b"what is this\n", b'a " b\n', b'"' * 12 + b"\n", b'"' * 7 + b"\n"):
        cells, count = counted(good + odd + good)
        assert cells["blog"][2] == 6
        assert count == 1


@CALM
@given(
    st.lists(
        st.one_of(st.binary(max_size=300), st.sampled_from([line("GET /blog/x HTTP/1.1"), b'"', b"\n", b'" 200 1 ']))
    )
)
def test_no_bytes_make_it_raise_or_count_backwards(pieces: list[bytes]) -> None:
    cells, odd = counted(b"".join(pieces))
    assert odd >= 0
    assert all(len(cell) == CELL and min(cell) >= 0 for cell in cells.values())


@CALM
@given(
    st.lists(
        st.sampled_from([line("GET /blog/x HTTP/1.1"), line("GET / HTTP/1.1", "404 3", " 0.2"), b"odd\n", b'""\n'])
    ),
    st.lists(st.integers(0, 3000)),
)
def test_pieces_count_as_the_whole(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(lines)
    places = sorted({0, len(data), *(data.rfind(b"\n", 0, cut) + 1 for cut in cuts)})
    cells: dict[str, list[float]] = {}
    counter = LineCounter(lambda app: cells.setdefault(app, new_cell()))
    for begin, end in pairwise(places):
        counter.count(data[begin:end], ROUTES)
    whole, odd = counted(data)
    assert {app: pytest.approx(cell) for app, cell in whole.items()} == {a: c for a, c in cells.items() if any(c)}
    assert counter.odd == odd


def test_a_piece_that_is_longer_than_what_is_split_at_once_counts_whole() -> None:
    one = line("GET /blog/ HTTP/1.1")
    count = 2 * PIECE // len(one) + 5
    assert counted(one * count)[0]["blog"][2] == count


@CALM
@given(st.text(max_size=60))
def test_no_pattern_makes_it_raise_and_only_plain_ones_are_prefixes(pattern: str) -> None:
    url = plain_prefix(pattern)
    assert url is None or not re.search(r"[\\*+?|()\[\]{}^$]", url)


def test_patterns_and_nginx_files_add_prefixes_where_no_url_is() -> None:
    apps = [
        App(
            "cloud",
            "cloud",
            "Cloud",
            domain="c.test",
            path="/cloud",
            url_patterns=(r"re:c.test\/.well-known\/.*", r"re:c.test/(a|b)/.*"),
            nginx_conf=("/etc/nginx/conf.d/c.test.d/push.conf",),
        ),
        App("site", "site", "Site", urls=("c.test/site",)),
    ]
    heads = ("/push/", "^~ /dav", "= /robots.txt", "~ \\.php$", "/site/")
    conf = "".join(f"location {head} {{\n}}\n" for head in heads)
    routes = routes_by_domain(apps, {"/etc/nginx/conf.d/c.test.d/push.conf": conf})["c.test"]
    found = {
        path: routes.app_of(f"GET {path} HTTP/1.1".encode()) for path in ("/push/x", "/dav", "/a/x", "/site/", "/x")
    }
    assert found == {"/push/x": "cloud", "/dav": "cloud", "/a/x": "_none", "/site/": "site", "/x": "_none"}
    assert routes.app_of(b"GET /.well-known/carddav HTTP/1.1") == "cloud"
    assert routes.app_of(b"GET /robots.txt HTTP/1.1") == "cloud"
