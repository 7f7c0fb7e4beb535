"""`coloc-agent check`: reads coloc.yml and tries everything that it names; one line a point, network tries bounded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.checks import Point
    from agent.cli import Context
    from coloc.command import Output
    from coloc.config.whole import Config

T = TypeVar("T")
_SECONDS = 10
_HOST_SECONDS = 30  # Borg starts twice for each try, perhaps far away


@click.command("check")
@click.option("--offline", is_flag=True, help="Leave out what needs the network: backup hosts and channels.")
@click.pass_obj
def command(context: Context, offline: bool) -> int:
    """Read coloc.yml and try everything that it names. Exit code 1 when something is wrong."""
    from agent.terminal import bad, good, harmless  # noqa: PLC0415 - `--help` must be quick
    from agent.terminal import say as show  # noqa: PLC0415
    from coloc.language import translator  # noqa: PLC0415

    config = context.config()
    say = translator(config.coloc.language, "commands")
    wrong = 0
    for point in _points(config, offline=offline):
        mark = bad("!   ") if point.warns else good("ok  ") if point.ok else bad("✗   ")
        to_do = "" if point.ok and not point.warns else harmless(point.hint(say), at_most=400)
        told = harmless(point.sentence(say), at_most=600)
        show([f"{mark}{harmless(point.subject)}: {told}{' — ' if to_do else ''}{to_do}"])
        wrong += not point.ok
    show([say("{number} to mend").format(number=wrong) if wrong else say("all is well")])
    return 1 if wrong else 0


def _points(config: Config, *, offline: bool) -> Iterator[Point]:
    from agent import checks  # noqa: PLC0415 - `--help` must be quick
    from agent.enforcement_checks import enforcement_points  # noqa: PLC0415
    from agent.web_checks import web_points  # noqa: PLC0415
    from coloc.times import now_utc  # noqa: PLC0415

    yield from checks.config_points(config)
    yield from _guarded("inventory", lambda: _apps(config))
    yield from checks.secret_points(config)
    yield from checks.folder_points(config, user_id=os.geteuid())
    yield from checks.rights_points(config, user_id=os.geteuid())
    yield checks.listen_point(config)
    yield from enforcement_points(config)
    yield from web_points(config, now_utc())
    if not offline:
        yield from _guarded("backup", lambda: _hosts(config))
        yield from _guarded("channels", lambda: _channels(config))
        yield from _guarded("alertmanager", lambda: _alertmanager(config))
        yield from _guarded("channels", lambda: _same_machine(config))


def _guarded(subject: str, points: Callable[[], Iterable[Point]]) -> Iterator[Point]:
    from agent.checks import failed  # noqa: PLC0415 - `--help` must be quick

    try:
        yield from points()
    except ColocError as error:
        yield failed(subject, error)


def _apps(config: Config) -> Iterator[Point]:
    from agent import checks  # noqa: PLC0415 - `--help` must be quick
    from agent.colocation import read_colocation  # noqa: PLC0415

    inventory = read_colocation(config).inventory
    yield from checks.inventory_points(inventory)
    yield from checks.claim_points(config, inventory)


def _channels(config: Config) -> Iterator[Point]:
    from agent.checks import Point  # noqa: PLC0415 - `--help` must be quick
    from alerts.building import channels_of  # noqa: PLC0415
    from coloc.language import n_  # noqa: PLC0415

    hint = n_("messages wait in the outbox until it answers")
    for name, channel in channels_of(config).items():
        problems = _within(_SECONDS, channel.check)
        if problems == []:
            yield Point(f"channels.{name}", True, n_("messages can be sent"))
        if problems is None:
            yield Point(f"channels.{name}", False, n_("no answer within {seconds} s"), hint, {"seconds": _SECONDS})
        for problem in problems or ():
            yield Point(f"channels.{name}", False, "{why}", hint, {"why": problem})


def _alertmanager(config: Config) -> Iterator[Point]:
    from agent.alertmanager_post import poster_of  # noqa: PLC0415 - `--help` must be quick
    from agent.checks import Point  # noqa: PLC0415
    from coloc.language import n_  # noqa: PLC0415

    poster = poster_of(config)
    if poster is None:
        return
    whys = _within(_SECONDS, lambda: [poster.check()])
    if whys == [""]:
        yield Point("alertmanager", True, n_("incidents can be posted"))
        if config.channels.matrix is not None:
            told = n_("Matrix and Alertmanager both hear of each incident")
            to_do = n_('give alerts with sent_by="coloc-agent" a receiver that does not ring the same people')
            yield Point("alertmanager", True, told, to_do, warns=True)
    else:
        values = {"why": whys[0]} if whys else {"seconds": _SECONDS}
        told = "{why}" if whys else n_("no answer within {seconds} s")
        yield Point("alertmanager", False, told, n_("incidents are posted again until it takes them"), values)


def _same_machine(config: Config) -> list[Point]:
    from agent.colocation import read_colocation  # noqa: PLC0415 - `--help` must be quick
    from agent.same_machine import same_machine_points  # noqa: PLC0415

    inventory = read_colocation(config).inventory
    domains = {*inventory.domains, *(app.domain for app in inventory.apps.values() if app.domain)}
    return _within(_SECONDS, lambda: list(same_machine_points(config, domains))) or []


def _within(seconds: float, ask: Callable[[], list[T]]) -> list[T] | None:
    """What `ask` answers, or None when it takes too long; it is left behind then, and ends with us."""
    answers: list[list[T]] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None


def _hosts(config: Config) -> Iterator[Point]:
    from agent.checks import Point  # noqa: PLC0415 - `--help` must be quick
    from backup.hosts import check_hosts  # noqa: PLC0415
    from coloc.command import run  # noqa: PLC0415
    from coloc.language import n_  # noqa: PLC0415

    good = (
        n_("answers, and the passphrase opens the repository"),
        n_("answers; the first backup will make the repository"),
    )

    def bounded(argv: Any, *, timeout: float, **options: Any) -> Output:
        return run(argv, timeout=min(timeout, _HOST_SECONDS), **options)

    for host in check_hosts(config, run=bounded):
        why = host.sentence.removeprefix(f"{host.host}: ")
        yield Point(f"backup.hosts.{host.host}", host.ok, why if why in good else "{why}", values={"why": why})
