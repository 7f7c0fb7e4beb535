"""What the agent counted is what a real nginx answered, also while its logs are turned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.latency_dropin import install_script, undo_script
from collectors.web import WebCollector
from collectors.web_lines import FIRST_BUCKET
from coloc.model import App
from tests.fakes.colocations import colocation
from tests.fakes.nginx import Nginx
from tests.fakes.waiting import until

APPS = colocation(
    App("site", "s", "Site", domain="one.test", path="/"),
    App("blog", "b", "Blog", domain="one.test", path="/blog"),
    App("chat", "c", "Chat", domain="two.test", path="/"),
)
ONE = """
location / { return 200 "0123456789"; }
location /blog/ { return 200 "01234"; }
location = /blog/gone { return 404; }
location = /blog/moved { return 302 /blog/; }
location = /blog/broken { return 500; }
"""
TWO = 'location / { return 200 "x"; }\n'


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path, {"one.test": ONE, "two.test": TWO})
    yield nginx
    nginx.close()


def classes(web: WebCollector) -> dict[str, list[int]]:
    list(web.collect(APPS, datetime.now(UTC)))
    return {app: [int(count) for count in row[1:6]] for app, row in web.counts().items()}


def times(web: WebCollector) -> dict[str, int]:
    list(web.collect(APPS, datetime.now(UTC)))
    return {app: int(sum(row[FIRST_BUCKET:])) for app, row in web.counts().items() if any(row[FIRST_BUCKET:])}


def test_every_request_counts_once_for_its_app_and_class_also_over_a_rotation(nginx: Nginx) -> None:
    web = WebCollector(nginx.root)
    assert classes(web) == {}
    nginx.get("one.test", "/", 7)
    nginx.get("one.test", "/blog/x?y=/", 5)
    nginx.get("one.test", "/blog/gone", 3)
    nginx.get("one.test", "/blog/moved", 2)
    nginx.get("one.test", "/yunohost/sso", 4)
    nginx.get("two.test", "//a", 6)
    first = {"site": [0, 7, 0, 0, 0], "blog": [0, 5, 2, 3, 0], "_none": [0, 4, 0, 0, 0], "chat": [0, 6, 0, 0, 0]}
    until(lambda: classes(web) == first, seconds=60, what="the first requests")
    assert web.counts()["site"][0] == 70

    nginx.rename_logs()
    nginx.get("one.test", "/", 10)  # into the renamed file
    classes(web)
    nginx.get("two.test", "/", 1)
    nginx.reopen()
    nginx.get("one.test", "/blog/broken", 8)
    nginx.get("two.test", "/", 2)
    second = {"site": [0, 17, 0, 0, 0], "blog": [0, 5, 2, 3, 8], "_none": [0, 4, 0, 0, 0], "chat": [0, 9, 0, 0, 0]}
    until(lambda: classes(web) == second, seconds=60, what="the requests after the rotation")


def test_the_drop_in_adds_times_on_stock_logs_and_undo_leaves_no_trace(nginx: Nginx) -> None:
    before = {path: path.read_bytes() for path in nginx.conf.rglob("*") if path.is_file()}
    web = WebCollector(nginx.root)
    classes(web)
    done = nginx.script(install_script())
    assert done.returncode == 0, done.stderr
    nginx.get("one.test", "/blog/a/b/c/d?secret=1", 5)
    nginx.get("one.test", "/", 2)
    nginx.get("two.test", "/x", 3)
    until(lambda: times(web) == {"site": 2, "blog": 5, "chat": 3}, seconds=60, what="the times")
    assert {app: sum(row) for app, row in classes(web).items()} == {"site": 2, "blog": 5, "chat": 3}
    log = (nginx.logs / "one.test-latency.log").read_text()
    assert "127.0.0.1" not in log
    assert "secret" not in log

    done = nginx.script(undo_script())
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in nginx.conf.rglob("*") if path.is_file()} == before
    assert not list(nginx.logs.glob("*-latency.log*"))


def test_a_drop_in_that_nginx_refuses_is_taken_away_again(nginx: Nginx) -> None:
    (nginx.conf / "zz.conf").write_text("log_format coloc_latency 'taken';\n")
    files = sorted(nginx.conf.rglob("*"))
    done = nginx.script(install_script())
    assert done.returncode == 1
    assert b"duplicate" in done.stderr
    assert sorted(nginx.conf.rglob("*")) == files
