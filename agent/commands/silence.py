"""`coloc-agent silence`: keeps quiet, until an end, what is about an app, a project, a host, or of a rule."""

from __future__ import annotations

import json
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.cli import Context
    from agent.status import Status
    from coloc.config.whole import Config


@click.group("silence")
def command() -> None:
    """Silences: what they cover goes on being watched, and is told when they end if it is still there."""


@command.command("set")
@click.option("--app", help="Incidents of this app; a pattern such as `wordpress*` is good here and below.")
@click.option("--project", help="Incidents of this project.")
@click.option("--host", help="Incidents of this backup host.")
@click.option("--filesystem", help="Incidents of this filesystem, by where it is mounted.")
@click.option("--rule", help="Incidents of this rule; all their names: coloc-agent rules.")
@click.option("--everything", is_flag=True, help="Every incident there is or will be.")
@click.option("--for", "span", required=True, help="How long: 30m, 2h, 1d; thirty days at most.")
@click.option("--by", required=True, help="Who asks for it: the name that people read.")
@click.option("--why", default="", help="A few words for the others.")
@click.pass_obj
def set_(context: Context, /, *, everything: bool, span: str, by: str, why: str, **asked: str | None) -> None:
    """Keep quiet what fits every option given, also what only begins later; none is without an end."""
    from agent.client import own_status_or_none  # noqa: PLC0415 - `--help` must be quick
    from agent.commands.alerts import a_name, a_span  # noqa: PLC0415 - `--help` must be quick
    from coloc.language import translator  # noqa: PLC0415
    from coloc.requests import ask  # noqa: PLC0415

    seconds, name = a_span(span), a_name(by)
    covers = {label: pattern for label, pattern in asked.items() if pattern}
    if bool(covers) == everything:
        raise click.UsageError(
            "say what to keep quiet: --app, --project, --host, --filesystem, --rule, or --everything"
        )
    config = context.config()
    say, status = translator(config.coloc.language, "commands"), own_status_or_none(config)
    _check(config, status, covers)
    ask(config.paths.requests, "quiet", seconds=seconds, by=name, why=why[:300], **covers)
    if status is None:
        click.echo(say("the agent does not answer: the request waits for it"))
    else:
        click.echo(
            say("kept quiet by {by} in a few seconds; its number and end: coloc-agent silence list").format(by=name)
        )


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, times in UTC.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """The silences that are not over, with their numbers, ends and who asked for them."""
    from agent.client import ask_own_status  # noqa: PLC0415 - `--help` must be quick
    from agent.glance import Glance  # noqa: PLC0415
    from agent.status import plain  # noqa: PLC0415
    from agent.terminal import say as show  # noqa: PLC0415
    from coloc.language import translator  # noqa: PLC0415

    config = context.config()
    status, say = ask_own_status(config), translator(config.coloc.language, "commands")
    if as_json:
        show([json.dumps([plain(asdict(each)) for each in status.silences], indent=2)])
    else:
        show(Glance(status, config.coloc.language).silences() or [say("nothing is kept quiet by a silence")])


@command.command("lift")
@click.argument("silence", metavar="ID", type=click.IntRange(min=1))
@click.pass_obj
def lift(context: Context, silence: int) -> None:
    """End a silence now; what it kept quiet is told if it is still there."""
    from agent.client import own_status_or_none  # noqa: PLC0415 - `--help` must be quick
    from coloc.language import translator  # noqa: PLC0415
    from coloc.requests import ask  # noqa: PLC0415

    config = context.config()
    status, say = own_status_or_none(config), translator(config.coloc.language, "commands")
    known = [each.id for each in status.silences] if status else [silence]
    if silence not in known:
        listed = ", ".join(map(str, known[:20])) or "none"
        raise ColocError(f"no silence of the number {silence} lasts", hint=f"those that do: {listed}")
    ask(config.paths.requests, "unquiet", silence=silence)
    if status is None:
        click.echo(say("the agent does not answer: the request waits for it"))
    else:
        click.echo(say("silence {id} is lifted in a few seconds").format(id=silence))


def _check(config: Config, status: Status | None, covers: Mapping[str, str]) -> None:
    """A silence that can cover nothing is a misspelt one. Raises ColocError."""
    from agent.foreign_alerts import FOREIGN  # noqa: PLC0415 - `--help` must be quick
    from agent.measured_rules import CUSTOM  # noqa: PLC0415
    from coloc.config.rules import RULE_NAMES  # noqa: PLC0415

    known: dict[str, Iterable[str]] = {
        "rule": [*RULE_NAMES, *(f"{CUSTOM}{name}" for name in config.custom_rules)],
        "host": config.backup.hosts,
    }
    if status is not None:
        known |= {"app": [app.id for app in status.apps], "project": [*config.projects, "_shared", "_none"]}
    for label, names in known.items():
        if label == "rule" and (covers.get("rule") or "").startswith(FOREIGN):
            continue  # those are named elsewhere
        _one_fits(label, covers.get(label), list(names))


def _one_fits(label: str, pattern: str | None, names: list[str]) -> None:
    from coloc.config.mistakes import nearest  # noqa: PLC0415 - `--help` must be quick

    if pattern and names and not any(fnmatchcase(name, pattern) for name in names):
        raise ColocError(
            f"no {label} is called {pattern!r}{nearest(pattern, names)}",
            hint=f"write the name of one, or a pattern that fits: '{sorted(names)[0]}*'",
        )
