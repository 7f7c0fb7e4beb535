"""What a wrong word is told: the command's own name, also when it was called as a module."""

from __future__ import annotations

import pytest

from agent.cli import main


def test_wrong_usage_names_the_command_that_people_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/coloc-agent/agent/__main__.py", "nope"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("Usage: coloc-agent ")
