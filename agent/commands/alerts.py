"""`coloc-agent alerts`: the open incidents; takes one on or silences it by a request that the daemon decides on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.cli import Context
    from coloc.config.whole import Config

_SAID = {
    "ack": ("incident {id} pris en charge par {by}", "incident {id} taken on by {by}"),
    "silence": ("incident {id} mis en sourdine par {by}", "incident {id} silenced by {by}"),
    "later": (
        "l'agent ne répond pas : la demande l'attend, il la prendra en marchant",
        "the agent does not answer: the request waits for it",
    ),
}


@click.group("alerts", invoke_without_command=True)
@click.option("--history", is_flag=True, help="Those that are over as well, the last five hundred.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON; incidents that are over as well.")
@click.pass_context
def command(ctx: click.Context, history: bool, as_json: bool) -> None:
    """Open incidents; `ack` takes one on, `silence` keeps one quiet."""
    from agent.client import ask_own_status, ask_past  # noqa: PLC0415 - `--help` must be quick
    from agent.glance import Glance  # noqa: PLC0415
    from agent.status import plain  # noqa: PLC0415
    from agent.terminal import say  # noqa: PLC0415

    if ctx.invoked_subcommand is not None:
        return
    config = ctx.obj.config()
    status = ask_own_status(config)
    found = ask_past(config) if history else None
    incidents = found.incidents if found else status.incidents
    if as_json:
        say([json.dumps([plain(asdict(each)) for each in incidents], indent=2)])
    else:
        glance = Glance(status, config.coloc.language)
        say(glance.past(incidents) if history else glance.incidents())


@command.command("ack")
@click.argument("incident", metavar="ID", type=click.IntRange(min=1))
@click.option("--by", required=True, help="Who takes it on: the name that people read.")
@click.pass_obj
def ack(context: Context, incident: int, by: str) -> None:
    """Take an incident on: the others see that somebody looks after it."""
    from coloc.requests import ask  # noqa: PLC0415 - `--help` must be quick

    config, name = context.config(), a_name(by)
    reached = _check(config, incident)
    ask(config.paths.requests, "ack", incident=incident, by=name)
    _confirm(config, "ack", incident, name, reached=reached)


@command.command("silence")
@click.argument("incident", metavar="ID", type=click.IntRange(min=1))
@click.option("--for", "span", required=True, help="How long: 30m, 2h, 1d; thirty days at most.")
@click.option("--by", required=True, help="Who asks for it: the name that people read.")
@click.pass_obj
def silence(context: Context, incident: int, span: str, by: str) -> None:
    """Keep an incident quiet for a while; it goes on being watched."""
    from coloc.requests import ask  # noqa: PLC0415 - `--help` must be quick

    seconds, config, name = a_span(span), context.config(), a_name(by)
    reached = _check(config, incident)
    ask(config.paths.requests, "silence", incident=incident, seconds=seconds, by=name)
    _confirm(config, "silence", incident, name, reached=reached)


def a_span(span: str) -> float:
    """The seconds of `--for`. Raises BadParameter."""
    from coloc.config.values import parse_seconds  # noqa: PLC0415 - `--help` must be quick

    try:
        seconds = parse_seconds(span)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error
    if not 0 < seconds <= 30 * 86400:
        raise click.BadParameter("write a time span of at most 30d", param_hint="--for")
    return seconds


def a_name(by: str) -> str:
    """The name of `--by`. Raises BadParameter."""
    name = by.strip()
    if not name or len(name) > 60 or not name.isprintable():
        raise click.BadParameter("write a name of 1 to 60 letters", param_hint="--by")
    return name


def _check(config: Config, incident: int) -> bool:
    """True when the daemon answers; raises ColocError when it knows no such open incident."""
    from agent.client import AgentSilent, ask_own_status  # noqa: PLC0415 - `--help` must be quick

    try:
        known = [item.id for item in ask_own_status(config).open_incidents]
    except AgentSilent:
        return False
    if incident not in known:
        listed = ", ".join(str(number) for number in known[:20]) or "none"
        raise ColocError(f"no open incident has the number {incident}", hint=f"open ones: {listed}")
    return True


def _confirm(config: Config, what: str, incident: int, by: str, *, reached: bool) -> None:
    fr, en = _SAID[what if reached else "later"]
    click.echo((fr if config.coloc.language == "fr" else en).format(id=incident, by=by))
