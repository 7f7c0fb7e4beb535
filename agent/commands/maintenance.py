"""`coloc-agent maintenance`: planned work is declared once, told to everybody, and quiet while it lasts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from datetime import datetime

    from agent.cli import Context
    from agent.status import Status
    from coloc.config.whole import Config


@click.group("maintenance")
def command() -> None:
    """Planned work: told on the forum's thread and in the rooms, its alerts quiet from its start to its planned end."""


@command.command("declare")
@click.argument("title")
@click.option("--app", help="The app that is worked on.")
@click.option("--project", help="Every app of this project.")
@click.option("--server", is_flag=True, help="The whole server.")
@click.option("--from", "begin", default="now", show_default=True, help="22:00, 22h30, or 2026-11-28T22:00.")
@click.option("--for", "span", required=True, help="How long it is planned: 30m, 2h; seven days at most.")
@click.option("--by", required=True, help="Who declares it: shown by `list`, never in a room.")
@click.option("--dry-run", is_flag=True, help="Only say when it would begin and end, and where it would be told.")
@click.pass_obj
def declare(
    context: Context, /, *, title: str, server: bool, begin: str, span: str, by: str, dry_run: bool, **asked: str | None
) -> None:
    """Announce work; it begins by itself at its hour, and `start` begins it earlier."""
    from datetime import timedelta  # noqa: PLC0415 - `--help` must be quick

    from agent.client import own_status_or_none  # noqa: PLC0415 - `--help` must be quick
    from agent.commands.alerts import a_name, a_span  # noqa: PLC0415
    from agent.maintenance.plan import Trouble, declared  # noqa: PLC0415
    from coloc.language import translator  # noqa: PLC0415
    from coloc.times import for_people, now_utc  # noqa: PLC0415

    app, project = asked["app"] or "", asked["project"] or ""
    if sum((bool(app), bool(project), server)) != 1:
        raise click.UsageError("say what is worked on: --app, --project or --server")
    config, name, seconds, now = context.config(), a_name(by), a_span(span), now_utc()
    begins_at = _begin(config, begin, now)
    one = declared(title, name, now, begins_at, timedelta(seconds=seconds), app=app, project=project)
    if isinstance(one, Trouble):
        raise click.BadParameter("at most seven days long, and within the next ninety days", param_hint="--for, --from")
    status, say = own_status_or_none(config), translator(config.coloc.language, "commands")
    _check_scope(config, status, app, project)
    times = {"begin": for_people(one.begins_at, config.zone), "end": for_people(one.ends_at, config.zone)}
    click.echo(say("from {begin} to {end}").format(**times))
    for place in _places(config):
        click.echo(f"  {say('told on')} {place}")
    if dry_run:
        click.echo(say("nothing was declared (simulation)"))
        return
    _ask(
        config,
        "declare",
        title=title[:200],
        by=name,
        app=app,
        project=project,
        begins=one.begins_at.timestamp(),
        seconds=seconds,
    )
    _confirm(config, status, say("declared in a few seconds; its number: coloc-agent maintenance list"))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, times in UTC.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """What is planned, what goes on, and the last ones that are over, with what they left broken."""
    from agent.client import ask_own_status  # noqa: PLC0415 - `--help` must be quick
    from agent.glance import Glance  # noqa: PLC0415
    from agent.status import plain  # noqa: PLC0415
    from agent.terminal import say as show  # noqa: PLC0415
    from coloc.language import translator  # noqa: PLC0415

    config = context.config()
    status, say = ask_own_status(config), translator(config.coloc.language, "commands")
    if as_json:
        show([json.dumps([plain(asdict(each)) for each in status.maintenances], indent=2)])
    else:
        show(Glance(status, config.coloc.language).maintenances() or [say("no maintenance so far")])


@command.command("start")
@click.argument("maintenance", metavar="ID", type=click.IntRange(min=1))
@click.pass_obj
def start(context: Context, maintenance: int) -> None:
    """Begin it now; it lasts as long as it was planned."""
    _change(context, maintenance, "start", "begins in a few seconds")


@command.command("extend")
@click.argument("maintenance", metavar="ID", type=click.IntRange(min=1))
@click.argument("span")
@click.pass_obj
def extend(context: Context, maintenance: int, span: str) -> None:
    """Move its planned end by SPAN: 30m, 1h. When that end is over already, from now."""
    from agent.commands.alerts import a_span  # noqa: PLC0415 - `--help` must be quick

    _change(context, maintenance, "extend", "is extended in a few seconds", seconds=a_span(span))


@command.command("end")
@click.argument("maintenance", metavar="ID", type=click.IntRange(min=1))
@click.pass_obj
def end(context: Context, maintenance: int) -> None:
    """Say that it is done; its message then says what is still broken."""
    _change(context, maintenance, "end", "is over in a few seconds")


@command.command("cancel")
@click.argument("maintenance", metavar="ID", type=click.IntRange(min=1))
@click.pass_obj
def cancel(context: Context, maintenance: int) -> None:
    """Say that it will not happen."""
    _change(context, maintenance, "cancel", "is cancelled in a few seconds")


def _change(context: Context, number: int, verb: str, done: str, *, seconds: float = 0) -> None:
    from agent.client import own_status_or_none  # noqa: PLC0415 - `--help` must be quick
    from coloc.language import translator  # noqa: PLC0415

    config = context.config()
    status, say = own_status_or_none(config), translator(config.coloc.language, "commands")
    _check_number(status, number, verb)
    _ask(config, verb, maintenance=number, seconds=seconds)
    _confirm(config, status, f"M{number} {say(done)}")


def _check_number(status: Status | None, number: int, verb: str) -> None:
    """Raises ColocError when the daemon answers, and what is asked for cannot be."""
    if status is None:
        return
    still = {each.id: each for each in status.maintenances if each.ended_at is None}
    if number not in still:
        listed = ", ".join(f"{each.id} ({each.title})" for each in list(still.values())[:20]) or "none"
        raise ColocError(
            f"no maintenance of the number {number} is planned or goes on", hint=f"those that are: {listed}"
        )
    is_planned = still[number].phase == "declared"
    if verb == "end" and is_planned:
        raise ColocError(f"M{number} has not begun", hint=f"coloc-agent maintenance cancel {number}")
    if verb in {"start", "cancel"} and not is_planned:
        raise ColocError(f"M{number} goes on already", hint=f"coloc-agent maintenance end {number}")


def _check_scope(config: Config, status: Status | None, app: str, project: str) -> None:
    """A name that nothing bears is a misspelt one. Raises ColocError."""
    from coloc.config.mistakes import nearest  # noqa: PLC0415 - `--help` must be quick

    if project and project not in config.projects:
        raise ColocError(f"no project is called {project!r}{nearest(project, config.projects)}", hint="see coloc.yml")
    names = [each.id for each in status.apps] if status else []
    if app and names and app not in names:
        raise ColocError(f"no app is called {app!r}{nearest(app, names)}", hint="all of them: coloc-agent apps")


def _begin(config: Config, text: str, now: datetime) -> datetime:
    from agent.maintenance.wishes import parse_begin  # noqa: PLC0415 - `--help` must be quick

    try:
        return parse_begin(text, now, config.zone)
    except ValueError as error:
        raise click.BadParameter(
            "write now, 22:00, or a day and an hour: 2026-11-28T22:00", param_hint="--from"
        ) from error


def _places(config: Config) -> list[str]:
    """Where it is told, in words of coloc.yml."""
    channels, found = config.channels, []
    if config.reaches("alert") and channels.matrix is not None:
        found.append("Matrix")
    if config.reaches("alert") and channels.forum is not None:
        found.append(f"{channels.forum.url}/t/{channels.forum.topic}")
    return found or ["console (journal)"]


def _ask(config: Config, verb: str, **values: str | int | float) -> None:
    from coloc.requests import ask  # noqa: PLC0415 - `--help` must be quick

    ask(config.paths.requests, "maintenance", verb=verb, **values)


def _confirm(config: Config, status: Status | None, done: str) -> None:
    from coloc.language import translator  # noqa: PLC0415 - `--help` must be quick

    say = translator(config.coloc.language, "commands")
    click.echo(done if status is not None else say("the agent does not answer: the request waits for it"))
