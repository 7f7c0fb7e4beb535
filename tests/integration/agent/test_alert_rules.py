"""promtool, a real Prometheus and a real Alertmanager take the files of deploy/prometheus, and an alert arrives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agent.prometheus_rules import prometheus_rules
from agent.rules import RULES
from agent.web import Response, Web
from coloc.config.whole import Config
from tests.fakes.alertmanager import Alertmanager, Receiver
from tests.fakes.prometheus import Prometheus, needed
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy/prometheus"
GOLDEN = (ROOT / "tests/golden/metrics.prom").read_bytes()
DOWN = b'coloc_app_up{app="nuage",project="_shared"} 0.0'
# What is wrong in the golden house, besides: a backup that failed, a quota above its soft limit,
# a maintenance that nobody ended.
FIRING = {
    "coloc=hautepierre,rule=app_down": 1,
    **{
        f"coloc={coloc},rule={rule}": 1
        for coloc in ("hautepierre", "montreynaud")
        for rule in ("backup_failed", "drill_failed", "maintenance_overrun", "quota_exceeded")
    },
}
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}", "{recording}"]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: coloc
    static_configs:
      - {{targets: ["{one}"], labels: {{coloc: hautepierre}}}}
      - {{targets: ["{other}"], labels: {{coloc: montreynaud}}}}
"""


def said(*argv: str) -> str:
    done = subprocess.run([needed(argv[0]), *argv[1:]], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rule_files_are_good() -> None:
    assert "SUCCESS" in said(
        "promtool", "check", "rules", "--lint-fatal", *map(str, sorted(DEPLOY.glob("*.rules.yml")))
    )


def test_the_rules_of_one_colocation_are_good(tmp_path: Path) -> None:
    changes = {"disk_nearly_full": {"severity": "info"}, "quota_exceeded": {"severity": "critical"}}
    config = Config.model_validate({"coloc": {"name": "demo"}, "rules": changes})
    (tmp_path / "here.yml").write_text(prometheus_rules(config, only_here=True))
    assert "SUCCESS" in said("promtool", "check", "rules", "--lint-fatal", str(tmp_path / "here.yml"))


def test_the_rules_do_what_their_unit_tests_say() -> None:
    assert "FAILED" not in said("promtool", "test", "rules", *map(str, sorted((ROOT / "tests/promtool").glob("*.yml"))))


def test_the_scrape_job_and_the_example_of_a_route_are_good() -> None:
    said("promtool", "check", "config", str(DEPLOY / "scrape.yml"))
    said("amtool", "check-config", str(DEPLOY / "alertmanager.yml"))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("severity=critical", "rule=app_down"), "adminsys"),
        (("severity=warning",), "adminsys"),
        (("severity=info",), "nobody"),
    ],
)
def test_the_example_of_a_route_leads_to_people_what_is_for_people(labels: tuple[str, ...], receiver: str) -> None:
    route = said("amtool", "config", "routes", "test", f"--config.file={DEPLOY / 'alertmanager.yml'}", *labels)
    assert route.split() == [receiver]


def rules(config: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "agent", "--config", str(config), "rules", *options]
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=120)


def test_the_command_prints_what_is_deployed(tmp_path: Path) -> None:
    (tmp_path / "coloc.yml").write_text("coloc: {name: test}\n")
    done = rules(tmp_path / "coloc.yml", "--prometheus")
    assert (done.returncode, done.stdout, done.stderr) == (0, (DEPLOY / "alerts.rules.yml").read_text(), "")


def test_a_file_that_is_named_and_gone_is_not_taken_for_no_changes(tmp_path: Path) -> None:
    done = rules(tmp_path / "gone.yml", "--prometheus")
    assert (done.returncode, done.stdout) == (2, "")


def test_the_command_tells_people_the_rules_as_coloc_yml_has_them(tmp_path: Path) -> None:
    (tmp_path / "coloc.yml").write_text(
        "coloc: {name: demo}\nrules: {app_down: {wait: 5m}, backup_late: {off: true}}\n"
    )
    done = rules(tmp_path / "coloc.yml")
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["app_down"] == ["critical", "300", "s", "docs/runbook/app_down.md"]
    assert rows["backup_late"][0] == "off"
    assert set(rows) == set(RULES)


def serving(exposition: bytes) -> Web:
    """A server that is an agent as far as Prometheus sees."""
    web = Web("127.0.0.1", 0, {"/metrics": lambda _: Response(exposition, "text/plain; version=0.0.4")})
    web.start()
    return web


@pytest.fixture
def two_servers() -> Iterator[tuple[str, str]]:
    """Both have an app `nuage`; it is down on the first one only."""
    webs = [serving(GOLDEN), serving(GOLDEN.replace(DOWN, DOWN.replace(b" 0.0", b" 1.0")))]
    yield webs[0].url.removeprefix("http://"), webs[1].url.removeprefix("http://")
    for web in webs:
        web.stop()


def test_an_alert_arrives_from_the_server_that_it_is_about(two_servers: tuple[str, str], tmp_path: Path) -> None:
    assert DOWN in GOLDEN
    soon = Config.model_validate({"coloc": {"name": "test"}, "rules": {"app_down": {"wait": "1s"}}})
    (tmp_path / "alerts.rules.yml").write_text(prometheus_rules(soon, only_here=False))
    recording = yaml.safe_load((DEPLOY / "recording.rules.yml").read_text())
    for group in recording["groups"]:
        group["interval"] = "1s"
    (tmp_path / "recording.rules.yml").write_text(yaml.safe_dump(recording))
    with Receiver() as receiver, Alertmanager(tmp_path / "alertmanager", receiver.url) as alertmanager:
        config = CONFIG.format(
            rules=tmp_path / "alerts.rules.yml",
            recording=tmp_path / "recording.rules.yml",
            alertmanager=alertmanager.address,
            one=two_servers[0],
            other=two_servers[1],
        )
        # What is formatted is formatted once more by the fake: braces are doubled for it.
        config = config.replace("{", "{{").replace("}", "}}")
        with Prometheus(tmp_path / "prometheus", "", config=config) as prometheus:
            found = until(
                lambda: [one for one in receiver.alerts if one["labels"]["alertname"] == "ColocAppDown"],
                seconds=90,
                what="an alert at the receiver",
            )
            # A backup is late, a drill overdue or not by the day on which this runs.
            firing = (
                'count by (coloc, rule) (ALERTS{alertstate="firing",rule!~"backup_late|backup_unproven|drill_overdue"})'
            )
            until(lambda: prometheus.query(firing) == FIRING, seconds=90, what="the alerts of both, and no other")
            recorded = "count(count by (coloc) (coloc:project_memory_share:ratio)) == 2"
            shares = until(lambda: prometheus.query(recorded), seconds=90, what="the recordings of both")
    assert {one["labels"]["coloc"] for one in found} == {"hautepierre"}
    assert found[0]["labels"]["app"] == "nuage"
    assert found[0]["annotations"]["summary"] == "hautepierre: nuage est arrêtée"
    assert found[0]["annotations"]["runbook_url"] == "docs/runbook/app_down.md"
    assert shares == {"": 2}
