"""A real Prometheus scrapes the real web server and answers; promtool finds nothing to say."""

from __future__ import annotations

import gzip
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.scrape import scrape_routes
from agent.web import Web
from collectors.sampler import Sampler
from tests.fakes.collectors import FakeCollector
from tests.fakes.colocations import colocation
from tests.fakes.measured_house import MeasuredHouse
from tests.fakes.prometheus import Prometheus, check_metrics
from tests.fakes.waiting import until


def served(sampler: Sampler) -> Web:
    web = Web("127.0.0.1", 0, scrape_routes(sampler.exposition, lambda: sampler.exposition() is not None))
    web.start()
    return web


def get(web: Web, path: str = "/metrics", **headers: str) -> bytes:
    request = urllib.request.Request(
        web.url + path, headers={key.replace("_", "-"): value for key, value in headers.items()}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        body: bytes = response.read()
    return body


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    house = MeasuredHouse(tmp_path)
    house.sampler.look_once()
    house.work()
    house.sampler.look_once()
    found = served(house.sampler)
    yield found
    found.stop()
    house.sampler.stop()


def test_prometheus_scrapes_and_answers(web: Web, tmp_path: Path) -> None:
    with Prometheus(tmp_path / "prometheus", web.url.removeprefix("http://")) as prometheus:
        assert prometheus.wait_for("up == 1")
        assert prometheus.wait_for("sum by (app) (coloc_app_cpu_seconds_total)") == pytest.approx(
            {"app=blog": 1.5, "app=nuage": 0.48, "app=_system": 3.02}
        )
        # The shares of the projects and the rest are the machine.
        machine = 'sum(coloc_machine_cpu_seconds_total{mode=~"user|nice|system|irq|softirq"})'
        assert prometheus.query(f"sum(coloc_project_cpu_seconds_total) / {machine}") == {"": pytest.approx(1.0)}
        joined = "coloc_app_memory_bytes * on (app) group_left (domain) coloc_app_info"
        assert "app=blog,domain=chorale.test,project=chorale" in prometheus.query(joined)
        assert prometheus.query('coloc_quota_limit_count{step="hard"}') == {
            "project=velo,resource=processes,step=hard": 100
        }
        assert prometheus.query("coloc_app_up == 0") == {"app=nuage,project=_shared": 0}
        # Every series that was sent is stored.
        sent = sum(not line.startswith(b"#") for line in get(web).splitlines())
        assert prometheus.query("scrape_samples_post_metric_relabeling") == {"": sent}


def test_promtool_has_nothing_to_say(web: Web) -> None:
    assert check_metrics(get(web)) == ""
    assert check_metrics(gzip.decompress(get(web, Accept_Encoding="gzip"))) == ""


def test_promtool_would_have_something_to_say() -> None:
    assert "counter" in check_metrics(b"# HELP coloc_x X.\n# TYPE coloc_x counter\ncoloc_x 1\n")


def test_health_paths(web: Web) -> None:
    assert get(web, "/-/healthy") == b"healthy\n"
    assert get(web, "/-/ready") == b"ready\n"
    assert b"coloc_app_" not in get(web, "/metrics?collect[]=machine")


def test_a_scrape_does_not_wait_for_a_collector_that_hangs() -> None:
    good, bad = FakeCollector("good"), FakeCollector("bad", deadline_seconds=0.2)
    sampler = Sampler([good, bad], colocation, render_seconds=0.05)
    sampler.start()
    web = served(sampler)
    until(lambda: sampler.exposition() is not None and b"coloc_fake_bad" in get(web))
    bad.go_on.clear()
    until(lambda: b'coloc_collector_success{collector="bad"} 0.0' in get(web))
    for _ in range(20):
        before = time.monotonic()
        assert b"coloc_fake_bad" in get(web)
        assert time.monotonic() - before < 0.5
    bad.go_on.set()
    web.stop()
    sampler.stop()
