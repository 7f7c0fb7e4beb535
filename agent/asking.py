"""Questions of commands that change something: nothing is taken for a yes, and without a person there is none."""

from __future__ import annotations

import sys

import click

from coloc.errors import ColocError
from coloc.language import Translate


def agreed(question: str, say: Translate, *, yes: bool) -> bool:
    """True when the person says so, or said so before. Raises ColocError when nobody is there to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ColocError(say("nobody is here to ask"), hint=say("look at the plan above and add --yes"))
    return click.confirm(question)


def show_step(say: Translate, step: str) -> None:
    """One step of something long, on stderr: a word of ours, then what it concerns."""
    word, space, rest = step.partition(" ")
    click.echo(f"  … {say(word)}{space}{rest}", err=True)
