"""What the pages tell people to type exists: command, options and arguments, also when a name is hostile."""

from __future__ import annotations

import importlib
import shlex
from dataclasses import replace

import click
import pytest

from agent.cli import COMMANDS
from tests.fakes.pages import Page, paths_of, render, status


def understood(argv: list[str]) -> bool:
    """True when the command line takes these arguments; nothing is done."""
    program, name, *rest = argv
    assert program == "coloc-agent"
    module, _ = COMMANDS[name]
    command: click.Command = importlib.import_module(f"agent.commands.{module}").command
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(name, rest)
    return True


@pytest.mark.parametrize("name", ["blog", "it's; rm -rf ~", "été"])
def test_every_command_that_is_shown_can_be_typed(name: str) -> None:
    shown = status(name)
    told = set[str]()
    for each in (shown, replace(shown, incidents=())):
        for language in ("fr", "en"):
            for path in paths_of(each):
                told |= {code for code in Page(render(each, language, path)).code if code.startswith("coloc-agent")}
    assert len(told) > 8
    assert all(understood(shlex.split(line)) for line in told)
