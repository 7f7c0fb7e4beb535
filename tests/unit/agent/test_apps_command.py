"""`coloc-agent apps`: a table for people, JSON for programs, a hint when there is nothing to show."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from agent.cli import Context
from agent.commands.apps import command
from coloc.errors import ColocError

CAPTURED = Path(__file__).parents[2] / "captured" / "yunohost"


def test_the_table_and_the_json_of_another_root() -> None:
    context = Context(Path("/nonexistent/coloc.yml"))
    table = CliRunner().invoke(command, ["--root", str(CAPTURED / "fixture")], obj=context)
    values = CliRunner().invoke(command, ["--json", "--root", str(CAPTURED / "fixture")], obj=context)

    assert (table.exit_code, values.exit_code) == (0, 0)
    assert "hubzilla" in table.output
    assert "broken" in table.output
    expected = json.loads((CAPTURED / "fixture/expected.json").read_text())
    assert set(json.loads(values.output)["apps"]) == set(expected["apps"])


def test_no_yunohost_is_told_with_a_hint(tmp_path: Path) -> None:
    context = Context(tmp_path / "coloc.yml")
    result = CliRunner().invoke(command, ["--root", str(tmp_path)], obj=context)

    assert isinstance(result.exception, ColocError)
    assert result.exception.hint
