"""The dashboards are of Grafana's schema, ask for metrics that exist, and the project's says first whom to talk to."""

from __future__ import annotations

import copy
import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.dashboard_schema import DASHBOARD, mistakes

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "deploy/grafana").glob("*.json"))
GOLDEN = (ROOT / "tests/golden/metrics.prom").read_text()


def load(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_there_is_one_for_the_servers_a_project_an_app_and_the_backups() -> None:
    assert [file.name for file in FILES] == ["app.json", "backups.json", "coloc.json", "project.json"]
    assert len({load(file)["uid"] for file in FILES}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_is_of_grafana_s_schema(file: Path) -> None:
    assert list(mistakes(load(file), DASHBOARD)) == []


@pytest.mark.parametrize(
    "path",
    [
        ("panels", 0, "gridPos", "w", 25),
        ("panels", 0, "type", "statt"),
        ("panels", 0, "targets", 0, "expr", 3),
        ("panels", 0, "options", "textMode", "loud"),
        ("panels", 0, "nonsense", 1),
        ("schemaVersion", "36"),
        ("graphTooltip", True),
        ("templating", "list", 0, "type", "quer"),
    ],
)
def test_the_check_of_the_schema_sees_mistakes(path: tuple[Any, ...]) -> None:
    broken = copy.deepcopy(load(FILES[0]))
    where: Any = broken
    for step in path[:-2]:
        where = where[step]
    where[path[-2]] = path[-1]
    assert list(mistakes(broken, DASHBOARD))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_panels_do_not_lie_on_each_other(file: Path) -> None:
    panels = load(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations(panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y, f"{one['title']} and {other['title']}"
        assert a["x"] + a["w"] <= 24


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_asks_for_metrics_and_recordings_that_exist_and_for_its_own_variables(file: Path) -> None:
    board = load(file)
    recording = yaml.safe_load((ROOT / "deploy/prometheus/recording.rules.yml").read_text())
    recorded = {rule["record"] for group in recording["groups"] for rule in group["rules"]}
    exposed = set(re.findall(r"(?m)^# TYPE (\S+)", GOLDEN))
    variables = {one["name"] for one in board["templating"]["list"]}
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [one["query"]["query"] for one in board["templating"]["list"] if isinstance(one["query"], dict)]
    for expression in asked:
        assert set(re.findall(r"\bcoloc_\w+", expression)) <= exposed, expression
        assert set(re.findall(r"\bcoloc:[\w:]+", expression)) <= recorded, expression
        assert set(re.findall(r"\$(\w+)", expression)) <= {*variables, "__rate_interval"}, expression
        assert 'coloc=~"$coloc"' in expression or "label_values(up" in expression, expression


def test_the_project_s_says_first_and_largest_whom_to_talk_to() -> None:
    first = load(ROOT / "deploy/grafana/project.json")["panels"][0]
    assert first["title"] == "À qui parler"
    assert (first["gridPos"]["x"], first["gridPos"]["y"]) == (0, 0)
    assert first["gridPos"]["w"] >= 12
    assert first["options"]["textMode"] == "name"
    assert first["targets"][0]["legendFormat"] == "{{adminsys}}"
    assert "coloc_project_info" in first["targets"][0]["expr"]
