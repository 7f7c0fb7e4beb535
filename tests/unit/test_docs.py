"""The reference names every key, rule, metric, command and option, and none that is not there; links lead somewhere."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click
import pytest

from agent.cli import COMMANDS, cli
from agent.rules import RULES
from coloc.config.reading import load_config
from coloc.config.values import Described, Limit
from coloc.config.whole import Config
from coloc.metric_names import METRICS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def first_cells(page: str) -> list[str]:
    """What stands in backquotes in the first column of the tables of a page of the reference."""
    return re.findall(r"(?m)^\| `([^`]+)` \|", (REFERENCE / page).read_text())


def keys_of(model: type[Described], place: str = "") -> Iterator[str]:
    for name, kind_of_it in model.types().items():
        key = f"{place}{name}"
        models = [kind for kind in types_in(kind_of_it) if isinstance(kind, type) and issubclass(kind, Described)]
        many = any(get_origin(kind) in {dict, tuple} for kind in types_in(kind_of_it))
        if not models or models[0] is Limit:
            yield key
        else:
            yield from keys_of(models[0], f"{key}.*." if many else f"{key}.")


def types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from types_in(part)


def test_the_reference_knows_every_key_of_coloc_yml_and_no_other() -> None:
    told = [cell for cell in first_cells("configuration.md") if cell not in RULES]
    assert len(told) == len(set(told))
    assert set(told) - {"listen"} == set(keys_of(Config))


def test_the_reference_knows_every_rule_and_no_other() -> None:
    text = (REFERENCE / "configuration.md").read_text()
    table = text[text.index("| rule |") : text.index("Each has a page in the runbook")]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", table)) == set(RULES)


def test_the_example_of_the_reference_is_a_file_that_works(tmp_path: Path) -> None:
    match = re.search(r"```yaml\n(.*?)```", (REFERENCE / "configuration.md").read_text(), re.S)
    assert match is not None
    assert len(match[1].splitlines()) <= 15
    file = tmp_path / "coloc.yml"
    file.write_text(match[1])
    assert set(load_config(file).backup.hosts) == {"merle", "disque"}


def exposed() -> dict[str, tuple[str, set[str]]]:
    """name → (type, labels), from the exposition that tests hold."""
    text = "".join((ROOT / "tests/golden" / name).read_text() for name in ("metrics.prom", "rare.prom"))
    found = {name: (kind, set[str]()) for name, kind in re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text)}
    for name, labels in re.findall(r"(?m)^(coloc_\w+)\{(.*)\} ", text):
        family = name if name in found else re.sub(r"_(bucket|count|sum)$", "", name)
        found[family][1].update(re.findall(r'(\w+)="', labels))
    return found


def test_the_reference_knows_every_metric_with_its_type_and_labels() -> None:
    rows = re.findall(r"(?m)^\| `(coloc_\w+)` \| (\w+) \| (.*?) \|", (REFERENCE / "metrics.md").read_text())
    told = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert len(rows) == len(told)
    assert told == exposed()


def test_a_rule_of_coloc_yml_may_name_every_metric() -> None:
    known = {name: tuple(sorted(labels)) for name, (kind, labels) in exposed().items() if kind != "histogram"}
    assert dict(METRICS) == known, "coloc/metric_names.py: write the lines that differ"


def test_questions_to_prometheus_use_metrics_that_exist() -> None:
    text = (REFERENCE / "metrics.md").read_text()
    assert set(re.findall(r"\bcoloc_\w+", text)) <= set(exposed())


def commands() -> Iterator[tuple[str, click.Command]]:
    yield "coloc-agent", cli
    for name, (module, _) in COMMANDS.items():
        command: click.Command = importlib.import_module(f"agent.commands.{module}").command
        yield f"coloc-agent {name}", command
        if isinstance(command, click.Group):
            yield from ((f"coloc-agent {name} {below}", each) for below, each in command.commands.items())


def test_the_reference_knows_every_command_and_option_and_no_other() -> None:
    parts = re.split(r"(?m)^##+ ", (REFERENCE / "commands.md").read_text())[1:]
    told = {part.split("\n", 1)[0]: set(re.findall(r"(?m)^\| `(--[a-z-]+)", part)) for part in parts}
    real = {
        name: {option for item in command.params for option in item.opts if option.startswith("--")}
        for name, command in commands()
    }
    assert told == real


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_pages_tell_exist(page: Path) -> None:
    for name in re.findall(r"(?:`|(?m:^ *))(?:sudo )?coloc-agent ([a-z][a-z-]*)", page.read_text()):
        assert name in COMMANDS, f"{page.name} tells of coloc-agent {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_that_pages_tell_exist(page: Path) -> None:
    known = {name.removeprefix("coloc-agent "): command for name, command in commands()}
    for name, rest in re.findall(r"coloc-agent ([a-z-]+)((?: [^\s`#;&|]+)*)", page.read_text()):
        if name in known:
            below = [command for words, command in known.items() if words.split()[0] == name]
            options = {option for command in below for item in command.params for option in item.opts}
            told = set(re.findall(r"(?<=\s)--[a-z-]+", rest))
            assert told <= options | {"--help"}, f"{page.name}: coloc-agent {name}{rest}"


def test_the_first_line_below_the_title_says_what_to_install() -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line]
    assert lines[0].startswith("# ")
    assert "apt install git make" in lines[1]


def test_every_decision_says_context_choice_and_price() -> None:
    for page in sorted((ROOT / "docs/decisions").glob("*.md")):
        for heading in ("## Context", "## Choice", "## What we gave up"):
            assert heading in page.read_text(), f"{page.name} has no {heading}"
