"""Every question of every dashboard, asked of a real Prometheus that scrapes two agents and records our rules."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.web import Response, Web
from tests.fakes.prometheus import Prometheus
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[3]
GOLDEN = (ROOT / "tests/golden/metrics.prom").read_bytes()
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["%s", "%s"]
scrape_configs:
  - job_name: coloc
    static_configs:
      - {{targets: ["%s"], labels: {{coloc: hautepierre}}}}
      - {{targets: ["%s"], labels: {{coloc: montreynaud}}}}
"""
# What Grafana puts in their place when somebody chose "all".
VARIABLES = {"coloc": ".*", "project": ".*", "app": ".*", "host": ".*", "__rate_interval": "1m"}
# Nothing of it in a house where nothing grows and no collector has failed for long.
MAY_BE_EMPTY = ("ALERTS", "coloc:filesystem_full_in:days")


def questions() -> list[tuple[str, str]]:
    """(dashboard and panel, question)."""
    found = []
    for file in sorted((ROOT / "deploy/grafana").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                asked = re.sub(r"\$(\w+)", lambda match: VARIABLES[match[1]], target["expr"])
                found.append((f"{file.name}: {panel['title']}", asked))
    return found


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    routes = {"/metrics": lambda _: Response(GOLDEN, "text/plain; version=0.0.4")}
    webs = [Web("127.0.0.1", 0, routes), Web("127.0.0.1", 0, routes)]
    for web in webs:
        web.start()
    recording = (ROOT / "deploy/prometheus/recording.rules.yml").read_text()
    (tmp_path / "recording.rules.yml").write_text(re.sub(r"interval: \d+m", "interval: 1s", recording))
    files = [tmp_path / "recording.rules.yml", ROOT / "deploy/prometheus/alerts.rules.yml"]
    addresses = [web.url.removeprefix("http://") for web in webs]
    with Prometheus(tmp_path / "prometheus", "", config=CONFIG % (*files, *addresses)) as found:
        yield found
    for web in webs:
        web.stop()


def ask(prometheus: Prometheus, question: str) -> int:
    """How many series the answer has. Raises HTTPError with Prometheus' words when the question is wrong."""
    url = f"{prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': question})}"
    with urllib.request.urlopen(url, timeout=30) as response:
        return len(json.load(response)["data"]["result"])


def test_every_question_has_an_answer(prometheus: Prometheus) -> None:
    asked = questions()
    assert len(asked) > 50
    # Rates need two scrapes, and recordings of rates one evaluation more.
    for recorded in ("coloc:project_cpu_share:ratio_rate5m", "coloc:backup_age:seconds_min"):
        ready = f"count(count by (coloc) ({recorded})) == 2"
        until(lambda ready=ready: prometheus.query(ready), seconds=90, what=ready)  # type: ignore[misc]
    for place, question in asked:
        answers = ask(prometheus, question)
        assert answers or any(name in question for name in MAY_BE_EMPTY), f"{place}: no answer to {question}"
    names = prometheus.query('coloc_project_info{project="chorale"}')
    assert set(names) == {
        f"adminsys=lea,coloc={coloc},project=chorale,title=Chorale du coin" for coloc in ("hautepierre", "montreynaud")
    }
