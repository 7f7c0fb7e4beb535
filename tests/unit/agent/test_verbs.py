"""A command with names and verbs: without any word it means all names, and does not print its help."""

from __future__ import annotations

from collections.abc import Sequence

import click
import pytest

from agent.verbs import WithVerbs


@pytest.mark.parametrize(
    ("words", "said"), [([], "all"), (["blog"], "blog"), (["plan"], "the plan"), (["--", "plan"], "plan")]
)
def test_the_first_word_chooses(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    @click.group(cls=WithVerbs)
    @click.argument("names", nargs=-1)
    def command(names: Sequence[str]) -> None:
        click.echo(" ".join(names) or "all")

    @command.command(name="plan")
    def _plan() -> None:
        click.echo("the plan")

    command.main(words, standalone_mode=False)
    assert capsys.readouterr().out.strip() == said
